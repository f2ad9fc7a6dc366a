import { randomUUID } from "node:crypto";
import { unlimitedRights } from "./access/rights.ts";
import type { Call } from "./call.ts";
import type { ChangeService } from "./changes/change-service.ts";
import type { Transactor } from "./changes/transactor.ts";
import type { NewId } from "./ids.ts";
import type { Secret } from "./secret.ts";
import type { TenantService } from "./tenants/tenant-service.ts";

interface Parts {
  readonly changes: ChangeService;
  readonly tenants: TenantService;
  readonly transactor: Transactor;
  readonly newId: NewId;
}

/**
 * A management key for who starts a Clavis of their own: the default tenant's first, or one more if the first was lost before it
 * could be kept.
 */
export async function makeManagementKey({ changes, tenants, transactor, newId }: Parts): Promise<Secret> {
  const call = systemCall();
  const [oldest] = await transactor.readTenants(call, (store) => store.list({ afterId: undefined, limit: 1 }));
  if (oldest === undefined) {
    const { created } = await changes.run(call, newId("ten"), undefined, (change) => tenants.create(change, "Default"));
    return created.secret;
  }
  const { secret } = await changes.run(call, oldest.id, undefined, (change) =>
    tenants.createManagementKey(change, "Management key"),
  );
  return secret;
}

function systemCall(): Call {
  return {
    id: randomUUID(),
    principal: { type: "system" },
    rights: unlimitedRights,
    address: "",
    userAgent: "",
    signal: new AbortController().signal,
  };
}
