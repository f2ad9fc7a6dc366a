import { randomBytes } from "node:crypto";
import type { Config, EmbeddedStore, ServerStore } from "./config.ts";
import type { DataFolder } from "./embedded/data-folder.ts";
import { openEmbeddedDatabase } from "./embedded-database.ts";
import { ensureManagementKey } from "./first-run.ts";
import { roleOf } from "./postgres/bootstrap.ts";
import { forgetAllMembers } from "./postgres/forget-members.ts";
import { migrate } from "./postgres/migrate.ts";
import { newRootKey, type RootKey } from "./root-keys.ts";
import { Secret } from "./secret.ts";
import type { Clock } from "./time.ts";

/** Where everything is kept, migrated and ready, and the secrets that go with it. */
export interface Store extends AsyncDisposable {
  /** As the runtime role. */
  readonly url: Secret;
  /** Of each process that serves. */
  readonly connectionsMax: number;
  readonly rootKeys: readonly [RootKey, ...RootKey[]];
  readonly operatorSecrets: readonly Secret[];
  /** In the embedded shape: where its files are. */
  readonly folder: DataFolder | undefined;
  /** Resolves if the store ends by itself, so that the service cannot go on. */
  readonly failed: Promise<Error>;
}

const OPERATOR_KEY_BYTES = 32;

/** Those that serve on a Postgres of one's own have more than enough with these, together; each has its least, though. */
const EMBEDDED_CONNECTIONS_MAX = 20;
const CONNECTIONS_MIN = 2;

/** Beside the data in the embedded shape, each readable by its user alone. */
const ROOT_KEYS_FILE = "root-keys";
const OPERATOR_KEY_FILE = "operator-key";

export interface StoreOptions {
  readonly clock: Clock;
  /** How many processes will serve from it: 1 by default. */
  readonly processes?: number;
}

export function openStore(config: Config, options: StoreOptions): Promise<Store> {
  return config.store.shape === "embedded"
    ? openEmbeddedStore(config, config.store, options)
    : openServerStore(config, config.store);
}

/** Starts a Postgres in the data folder, and makes on first use what an operator would otherwise bring. */
async function openEmbeddedStore(
  config: Config,
  { dataDir }: EmbeddedStore,
  { clock, processes = 1 }: StoreOptions,
): Promise<Store> {
  await using stack = new AsyncDisposableStack();
  const { folder, url, ownerUrl, runtimeRole, failed } = stack.use(await openEmbeddedDatabase(dataDir, processes));
  await migrate({ url: ownerUrl.reveal(), runtimeRole });
  await forgetAllMembers(url.reveal());

  const rootKeys = atLeastOne(config.rootKeys.length > 0 ? config.rootKeys : [rootKeyOf(folder)]);
  const operatorSecrets = config.operatorSecrets.length > 0 ? config.operatorSecrets : [operatorKeyOf(folder)];
  await ensureManagementKey({ folder, url, rootKeys, clock });
  return closing(stack.move(), {
    url,
    connectionsMax: Math.max(CONNECTIONS_MIN, Math.floor(EMBEDDED_CONNECTIONS_MAX / processes)),
    rootKeys,
    operatorSecrets,
    folder,
    failed,
  });
}

/** Uses the Postgres that is there. Migrates it first where the owner's URL is given. */
async function openServerStore(config: Config, store: ServerStore): Promise<Store> {
  const { databaseUrl, migrateDatabaseUrl, connectionsMax } = store;
  if (migrateDatabaseUrl !== undefined) await migrateServer(databaseUrl, migrateDatabaseUrl);
  return closing(new AsyncDisposableStack(), {
    url: databaseUrl,
    connectionsMax,
    rootKeys: atLeastOne(config.rootKeys),
    operatorSecrets: config.operatorSecrets,
    folder: undefined,
    failed: new Promise<never>(() => {}),
  });
}

/** Migrates as the owner, and lets the role of `databaseUrl` do what the service does. */
export async function migrateServer(databaseUrl: Secret, migrateDatabaseUrl: Secret): Promise<readonly string[]> {
  return migrate({ url: migrateDatabaseUrl.reveal(), runtimeRole: await roleOf(databaseUrl.reveal()) });
}

function rootKeyOf(folder: DataFolder): RootKey {
  const text = folder.readOrCreateSecretFile(ROOT_KEYS_FILE, () =>
    Buffer.from(newRootKey("embedded").bytes).toString("base64"),
  );
  return { id: "embedded", bytes: Buffer.from(text, "base64") };
}

function operatorKeyOf(folder: DataFolder): Secret {
  return new Secret(
    folder.readOrCreateSecretFile(
      OPERATOR_KEY_FILE,
      () => `operator_${randomBytes(OPERATOR_KEY_BYTES).toString("base64url")}`,
    ),
  );
}

function closing(stack: AsyncDisposableStack, store: Omit<Store, keyof AsyncDisposable>): Store {
  return { ...store, [Symbol.asyncDispose]: async () => stack.disposeAsync() };
}

/** The configuration sees to it that there is one. */
function atLeastOne<T>(items: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = items;
  if (first === undefined) throw new Error("no root key");
  return [first, ...rest];
}
