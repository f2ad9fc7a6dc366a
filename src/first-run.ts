import { randomUUID } from "node:crypto";
import { unlimitedRights } from "./access/rights.ts";
import type { Call } from "./call.ts";
import type { ChangeService } from "./changes/change-service.ts";
import type { Transactor } from "./changes/transactor.ts";
import type { NewId } from "./ids.ts";
import type { Secret } from "./secret.ts";
import type { Tenant } from "./tenants/tenant.ts";
import type { TenantService } from "./tenants/tenant-service.ts";

interface Parts {
  readonly changes: ChangeService;
  readonly tenants: TenantService;
  readonly transactor: Transactor;
  readonly newId: NewId;
}

/** Tenants that are looked at together. */
const PAGE = 100;

/**
 * A management key for who starts a Clavis of their own: the default tenant's first, or one more where there are
 * tenants but the key is not, because it was lost before it could be kept or all was restored from a backup.
 */
export async function makeManagementKey({ changes, tenants, transactor, newId }: Parts): Promise<Secret> {
  const call = systemCall();
  const oldest = await findOldest(transactor, call);
  if (oldest === undefined) {
    const { created } = await changes.run(call, newId("ten"), undefined, (change) => tenants.create(change, "Default"));
    return created.secret;
  }
  const { secret } = await changes.run(call, oldest.id, undefined, (change) =>
    tenants.createManagementKey(change, "Management key"),
  );
  return secret;
}

/** The tenant that was there first, among those that are not suspended if there are any. */
async function findOldest(transactor: Transactor, call: Call): Promise<Tenant | undefined> {
  let oldest: Tenant | undefined;
  let afterId: string | undefined;
  let page: readonly Tenant[];
  do {
    page = await transactor.readTenants(call, (store) => store.list({ afterId, limit: PAGE }));
    afterId = page.at(-1)?.id;
    // They come newest first.
    for (const tenant of page) if (!tenant.suspended || oldest?.suspended !== false) oldest = tenant;
  } while (page.length === PAGE);
  return oldest;
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
