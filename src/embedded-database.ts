import { type DataFolder, openDataFolder } from "./embedded/data-folder.ts";
import { openEmbeddedPostgres } from "./embedded/embedded-postgres.ts";
import { reachEmbeddedPostgres } from "./embedded/reach-postgres.ts";
import { bootstrap } from "./postgres/bootstrap.ts";
import { Secret } from "./secret.ts";

/** Clavis's database in a Postgres of one's own. */
export interface EmbeddedDatabase extends AsyncDisposable {
  readonly folder: DataFolder;
  /** As the role that the service runs as. */
  readonly url: Secret;
  /** As the owner of the tables. */
  readonly ownerUrl: Secret;
  readonly runtimeRole: string;
  /** Resolves if Postgres ends although nobody disposed this. */
  readonly failed: Promise<Error>;
}

const DATABASE = "clavis";
const RUNTIME_ROLE = "clavis";

/** For one process and whoever looks in. Each further process comes with so many more. */
const CONNECTIONS = 100;
const CONNECTIONS_PER_PROCESS = 10;

/**
 * Starts the Postgres in the data folder, with the database and the role in it, made if they are not there, and room for
 * the connections of so many processes. Does not migrate.
 */
export async function openEmbeddedDatabase(dataDir: string, processes = 1): Promise<EmbeddedDatabase> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(openDataFolder(dataDir));
  const settings = { max_connections: String(CONNECTIONS + CONNECTIONS_PER_PROCESS * (processes - 1)) };
  const postgres = stack.use(await openEmbeddedPostgres({ folder, settings }));
  await bootstrap({ adminUrl: postgres.urlFor(), database: DATABASE, runtimeRole: RUNTIME_ROLE });
  const kept = stack.move();
  return {
    folder,
    url: new Secret(postgres.urlFor({ role: RUNTIME_ROLE, database: DATABASE })),
    ownerUrl: new Secret(postgres.urlFor({ database: DATABASE })),
    runtimeRole: RUNTIME_ROLE,
    failed: postgres.failed,
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}

/** The database that is there already, for its owner, whether the service runs on the folder or not. */
export async function reachEmbeddedDatabase(
  dataDir: string,
): Promise<Pick<EmbeddedDatabase, "ownerUrl"> & AsyncDisposable> {
  const postgres = await reachEmbeddedPostgres(dataDir);
  return {
    ownerUrl: new Secret(postgres.urlFor({ database: DATABASE })),
    [Symbol.asyncDispose]: async () => await postgres[Symbol.asyncDispose](),
  };
}
