import pg from "pg";
import { BackupError } from "../backup/backup-error.ts";
import type { RowBatch } from "../backup/format.ts";
import {
  appliedMigrations,
  type BackupPlace,
  type BackupSession,
  columnsOf,
  openBackupSession,
  presentTables,
  qualified,
} from "./backup-session.ts";
import type { BackupTable } from "./backup-tables.ts";

/** All that Clavis keeps, as it is at one moment. */
export interface Snapshot {
  /** Those that the schema has had. */
  readonly migrations: readonly string[];
  /** The rows of all tables, to be read once; of each table at least one batch. */
  readonly batches: AsyncGenerator<RowBatch>;
}

/** Rows that are in memory at once: enough that the round trip does not count. */
const BATCH_ROWS = 1000;

/**
 * Gives `use` all rows as of one moment, whatever is written meanwhile, and resolves to what it resolves to. Holds up
 * nobody but who would change the schema.
 *
 * @throws BackupError if the database has no Clavis, one of a later version, or rows that the role cannot see
 */
export async function readSnapshot<T>(place: BackupPlace, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  await using session = await openBackupSession(place, "clavis backup");
  const { client, tables, settings } = session;
  if (tables.length === 0) throw new BackupError("the database has no tables of Clavis");

  // The snapshot is taken by the first query, with the locks already held: a migration that rewrote a table in between
  // would leave it empty in the snapshot.
  const names = tables.map(({ name }) => qualified(name)).join(", ");
  await client.query(
    ["begin isolation level repeatable read, read only", ...settings, `lock table ${names} in access share mode`].join(
      "; ",
    ),
  );
  const migrations = await appliedMigrations(client);
  if ((await presentTables(client)).length !== tables.length) {
    throw new BackupError("the database has been migrated at this moment: try again");
  }
  const result = await use({ migrations, batches: batchesOf(session) });
  await client.query("commit");
  return result;
}

async function* batchesOf({ client, tables }: BackupSession): AsyncGenerator<RowBatch> {
  for (const table of tables) yield* rowsOf(client, table);
}

/**
 * The rows as Postgres puts them into JSON: times to the microsecond, bytes in hexadecimal digits, numbers to the last
 * digit.
 */
async function* rowsOf(client: pg.Client, { name, omitted }: BackupTable): AsyncGenerator<RowBatch> {
  const columns = (await columnsOf(client, name)).filter((column) => !omitted.includes(column));
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(", ");
  await client.query(
    `declare backup no scroll cursor for
     select row_to_json(t)::text as row from (select ${list} from ${qualified(name)}) t`,
  );
  let fetched: number;
  do {
    const { rows } = await client.query<{ row: string }>(`fetch ${BATCH_ROWS} from backup`);
    fetched = rows.length;
    yield { table: name, columns, rows: rows.map(({ row }) => row) };
  } while (fetched === BATCH_ROWS);
  await client.query("close backup");
}
