import { UNBACKED_TABLES } from "../../src/postgres/backup-tables.ts";
import { openSql } from "./sql.ts";

/** What Clavis keeps, table by table, each row as text that tells every digit of it. */
export type Stored = Readonly<Record<string, readonly string[]>>;

/** All rows in the database, as `ownerUrl` sees them. Of replays, what a backup has of them. */
export async function readStored(ownerUrl: string): Promise<Stored> {
  await using sql = await openSql(ownerUrl);
  await sql.query("set timezone = 'UTC'");
  const tables = await sql.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = 'clavis'::regnamespace and relkind in ('r', 'p') and relname not like 'migration%'
     order by 1`,
  );
  const stored: Record<string, string[]> = {};
  for (const { name } of tables) {
    if (UNBACKED_TABLES.includes(name)) continue;
    const rows = await sql.query<{ row: string }>(
      `select (to_jsonb(t) - array['sealed_answer', 'effect_timeline', 'effect_xid', 'effect_mode'])::text as row from clavis.${name} t order by 1`,
    );
    stored[name] = rows.map(({ row }) => row);
  }
  return stored;
}

/** How many rows there are in all. */
export function rowsIn(stored: Stored): number {
  return Object.values(stored).reduce((sum, rows) => sum + rows.length, 0);
}
