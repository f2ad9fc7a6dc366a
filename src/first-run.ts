import { randomUUID } from "node:crypto";
import { unlimitedRights } from "./access/rights.ts";
import type { Call } from "./call.ts";
import { type ChangeService, createChangeService } from "./changes/change-service.ts";
import { noEffects } from "./changes/effect.ts";
import type { Transactor } from "./changes/transactor.ts";
import type { DataFolder } from "./embedded/data-folder.ts";
import { createIds, type NewId } from "./ids.ts";
import { createKeyService } from "./keys/key-service.ts";
import { createPageTokens } from "./page-token.ts";
import { openPool } from "./postgres/pool.ts";
import { createTransactor } from "./postgres/transactor.ts";
import { createSealer, type RootKey } from "./root-keys.ts";
import { createSecrets, type Secret } from "./secret.ts";
import type { Tenant } from "./tenants/tenant.ts";
import { createTenantService, type TenantService } from "./tenants/tenant-service.ts";
import { type Clock, SECOND_MS } from "./time.ts";

interface Parts {
  readonly changes: ChangeService;
  readonly tenants: TenantService;
  readonly transactor: Transactor;
  readonly newId: NewId;
}

interface Start {
  readonly folder: DataFolder;
  readonly url: Secret;
  readonly rootKeys: readonly [RootKey, ...RootKey[]];
  readonly clock: Clock;
}

const MANAGEMENT_KEY_FILE = "management-key";

/** Tenants that are looked at together. */
const PAGE = 100;

/** Sees to it that who starts a Clavis of their own finds a management key in the data folder. */
export async function ensureManagementKey({ folder, url, rootKeys, clock }: Start): Promise<void> {
  if (folder.has(MANAGEMENT_KEY_FILE)) return;
  const pool = openPool({
    url: url.reveal(),
    connectionsMax: 1,
    waitMsMax: 5 * SECOND_MS,
    applicationName: "clavis first run",
  });
  try {
    const newId = createIds(clock);
    const sealer = createSealer(rootKeys);
    const pageTokens = createPageTokens(sealer);
    const transactor = createTransactor({ pool, newId });
    const keys = createKeyService({ transactor, pageTokens, newId, newSecret: createSecrets(), clock });
    const tenants = createTenantService({ transactor, keys, pageTokens, newId });
    const changes = createChangeService({ transactor, sealer, effects: noEffects, clock });
    const secret = await makeManagementKey({ changes, tenants, transactor, newId });
    folder.readOrCreateSecretFile(MANAGEMENT_KEY_FILE, () => secret.reveal());
  } finally {
    await pool.end();
  }
}

/**
 * A management key for who starts a Clavis of their own: the default tenant's first, or one more where there are
 * tenants but the key is not, because it was lost before it could be kept or all was restored from a backup.
 */
async function makeManagementKey({ changes, tenants, transactor, newId }: Parts): Promise<Secret> {
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
