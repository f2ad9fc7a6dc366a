import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../../src/embedded/embedded-postgres.ts";
import { bootstrap } from "../../src/postgres/bootstrap.ts";
import { migrate } from "../../src/postgres/migrate.ts";

/** A Postgres of one's own that can be lost. */
export interface OwnPostgres extends AsyncDisposable {
  /** As the role that the service runs as. */
  readonly url: string;
  /** As the superuser. */
  readonly adminUrl: string;
  readonly dataDir: string;
  /** Ends it without notice. */
  crash(): Promise<void>;
}

const DATABASE = "clavis";
const RUNTIME_ROLE = "clavis_runtime";

/** Starts the Postgres in the folder at `path`, with Clavis's database in it, made if it is not there. */
export async function openOwnPostgres(path: string, settings: Readonly<Record<string, string>>): Promise<OwnPostgres> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(openDataFolder(path));
  const postgres: EmbeddedPostgres = stack.use(await openEmbeddedPostgres({ folder, settings }));
  const adminUrl = postgres.urlFor({ database: DATABASE });
  // A standby has it all from its primary.
  if (!folder.has("postgres/standby.signal")) {
    await bootstrap({ adminUrl: postgres.urlFor(), database: DATABASE, runtimeRole: RUNTIME_ROLE });
    await migrate({ url: adminUrl, runtimeRole: RUNTIME_ROLE });
  }
  const dataDir = join(folder.path, "postgres");
  const kept = stack.move();
  return {
    url: postgres.urlFor({ role: RUNTIME_ROLE, database: DATABASE }),
    adminUrl,
    dataDir,
    async crash() {
      process.kill(Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8"), 10), "SIGKILL");
      await postgres.failed;
    },
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}
