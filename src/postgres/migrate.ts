import { Kysely, PostgresDialect, sql } from "kysely";
import { Migrator } from "kysely/migration";
import pg from "pg";
import { migrations } from "./migrations/index.ts";
import { hearErrors } from "./pool.ts";

export interface MigrateOptions {
  /** The URL of a role that owns, or may create, the schema `clavis`. Not through a pooler in statement mode. */
  readonly url: string;
  /** The role that the service runs as, which is granted what it needs. It must exist, and must not be the owner. */
  readonly runtimeRole: string;
}

/** Any number that nobody else locks: "clavis" in ASCII. */
const LOCK_ID = 0x636c61766973;

/**
 * Brings the schema `clavis` to this version of the code and grants the runtime role what it needs. Several may do so at once:
 * the others wait for the first, and then find nothing to do.
 *
 * @returns the names of the migrations that were applied
 */
export async function migrate({ url, runtimeRole }: MigrateOptions): Promise<readonly string[]> {
  const pool = new pg.Pool({ connectionString: url, max: 2, application_name: "clavis migrate" });
  hearErrors(pool);
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    // Held by a transaction rather than a session, so that it works through PgBouncer too.
    return await db.transaction().execute(async (tx) => {
      await sql`select pg_advisory_xact_lock(${LOCK_ID}::bigint)`.execute(tx);
      const applied = await applyMissing(db);
      await grantRuntime(db, runtimeRole);
      return applied;
    });
  } finally {
    await db.destroy();
  }
}

async function applyMissing(db: Kysely<unknown>): Promise<readonly string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableSchema: "clavis",
    migrationTableName: "migrations",
    migrationLockTableName: "migration_lock",
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.map(({ migrationName }) => migrationName);
}

/** All that the service does, and no more: events can be added and read, but neither changed nor removed. */
async function grantRuntime(db: Kysely<unknown>, runtimeRole: string): Promise<void> {
  const role = sql.id(runtimeRole);
  const grants = [
    sql`grant usage on schema clavis to ${role}`,
    sql`grant select, insert, update on clavis.tenants, clavis.audit_heads to ${role}`,
    sql`grant select, insert, update, delete on clavis.keyspaces, clavis.keys, clavis.key_secrets, clavis.replays to ${role}`,
    sql`grant select, insert on clavis.audit_events, clavis.changes to ${role}`,
    sql`grant select, insert, update, delete on clavis.members to ${role}`,
    sql`grant select on clavis.migrations to ${role}`,
    sql`grant execute on all functions in schema clavis to ${role}`,
  ];
  await db.transaction().execute(async (tx) => {
    for (const grant of grants) await grant.execute(tx);
  });
}
