import { randomBytes } from "node:crypto";
import type { Config, EmbeddedStore, ServerStore } from "./config.ts";
import type { DataFolder } from "./embedded/data-folder.ts";
import { openEmbeddedDatabase } from "./embedded-database.ts";
import { roleOf } from "./postgres/bootstrap.ts";
import { migrate } from "./postgres/migrate.ts";
import { newRootKey, type RootKey } from "./root-keys.ts";
import { Secret } from "./secret.ts";

/** Where everything is kept, migrated and ready, and the secrets that go with it. */
export interface Store extends AsyncDisposable {
  /** As the runtime role. */
  readonly url: Secret;
  readonly connectionsMax: number;
  readonly rootKeys: readonly [RootKey, ...RootKey[]];
  readonly operatorSecrets: readonly Secret[];
  /** In the embedded shape: where its files are. */
  readonly folder: DataFolder | undefined;
  /** Resolves if the store ends by itself, so that the service cannot go on. */
  readonly failed: Promise<Error>;
}

const OPERATOR_KEY_BYTES = 32;

/** One process against a Postgres of its own has more than enough with these. */
const EMBEDDED_CONNECTIONS_MAX = 20;

/** Beside the data in the embedded shape, each readable by its user alone. */
const ROOT_KEYS_FILE = "root-keys";
export const OPERATOR_KEY_FILE = "operator-key";
export const MANAGEMENT_KEY_FILE = "management-key";

export function openStore(config: Config): Promise<Store> {
  return config.store.shape === "embedded"
    ? openEmbeddedStore(config, config.store)
    : openServerStore(config, config.store);
}

/** Starts a Postgres in the data folder, and makes on first use what an operator would otherwise bring. */
async function openEmbeddedStore(config: Config, { dataDir }: EmbeddedStore): Promise<Store> {
  await using stack = new AsyncDisposableStack();
  const { folder, url, ownerUrl, runtimeRole, failed } = stack.use(await openEmbeddedDatabase(dataDir));
  await migrate({ url: ownerUrl.reveal(), runtimeRole });

  const rootKeys = config.rootKeys.length > 0 ? config.rootKeys : [rootKeyOf(folder)];
  const operatorSecrets = config.operatorSecrets.length > 0 ? config.operatorSecrets : [operatorKeyOf(folder)];
  return closing(stack.move(), {
    url,
    connectionsMax: EMBEDDED_CONNECTIONS_MAX,
    rootKeys: atLeastOne(rootKeys),
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
