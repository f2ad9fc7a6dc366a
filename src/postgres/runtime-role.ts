import type { Pool } from "pg";
import { migrations } from "./migrations/index.ts";

interface RoleRow {
  readonly role: string;
  readonly superuser: boolean;
  readonly bypassrls: boolean;
  readonly owner: boolean;
}

/** Why the service must not start on this database: a sentence that says what to do. */
export class DatabaseUnfit extends Error {
  override readonly name = "DatabaseUnfit";
}

/**
 * Throws DatabaseUnfit where row-level security would not bind the role that the pool connects as, or where the schema is older
 * than this code. A newer schema is fine: a rolling deployment migrates first.
 */
export async function checkDatabase(pool: Pool): Promise<void> {
  await checkRole(pool);
  await checkSchema(pool);
}

async function checkRole(pool: Pool): Promise<void> {
  const { rows } = await pool.query<RoleRow>(
    `select current_user as role, rolsuper as superuser, rolbypassrls as bypassrls,
            exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname = 'clavis' and pg_has_role(current_user, c.relowner, 'usage')) as owner
     from pg_roles where rolname = current_user`,
  );
  const [row] = rows;
  if (row === undefined) throw new DatabaseUnfit("Postgres does not know the role that it let in");
  const excess = row.superuser
    ? "is a superuser"
    : row.bypassrls
      ? "has BYPASSRLS"
      : row.owner
        ? "owns Clavis's tables"
        : undefined;
  if (excess !== undefined) {
    throw new DatabaseUnfit(
      `the role ${row.role} ${excess}, so row-level security would not bind it: give CLAVIS_DATABASE_URL a role of its own and keep this one for CLAVIS_MIGRATE_DATABASE_URL`,
    );
  }
}

async function checkSchema(pool: Pool): Promise<void> {
  const { rows: tables } = await pool.query<{ present: boolean }>(
    `select has_schema_privilege(n.oid, 'usage') and to_regclass('clavis.migrations') is not null as present
     from pg_namespace n where n.nspname = 'clavis'`,
  );
  if (tables[0]?.present !== true) {
    throw new DatabaseUnfit("the database has no schema of Clavis for this role: run `clavis migrate` first");
  }
  const { rows } = await pool.query<{ name: string }>("select name from clavis.migrations");
  const applied = new Set(rows.map(({ name }) => name));
  const missing = Object.keys(migrations).filter((name) => !applied.has(name));
  if (missing.length > 0) {
    throw new DatabaseUnfit(
      `the schema is older than this version of Clavis (${missing.join(", ")}): run \`clavis migrate\` first`,
    );
  }
}
