import pg from "pg";
import { BackupError } from "../backup/backup-error.ts";
import type { BackupHeader, RowBatch } from "../backup/format.ts";
import {
  type BackupPlace,
  type BackupSession,
  columnsOf,
  openBackupSession,
  qualified,
  unknownAmong,
} from "./backup-session.ts";

/** @throws BackupError if the rows are of a schema that this version does not know yet */
export function checkRestorable({ version, migrations }: BackupHeader): void {
  const unknown = unknownAmong(migrations);
  if (unknown.length === 0) return;
  throw new BackupError(
    `the backup was made by Clavis ${version}, whose schema is later (${unknown.join(", ")}): ` +
      "restore it with that version or a later one",
  );
}

/** @throws BackupError if Clavis keeps anything in this database. Its schema may be there or not. */
export async function checkEmpty(place: BackupPlace): Promise<void> {
  await using session = await openBackupSession(place, "clavis restore");
  await checkTablesEmpty(session);
}

/**
 * Writes all rows of a backup into the database, which has this version's schema, or none of them. Nobody else can
 * write there meanwhile. Columns are matched by name; those that the backup does not know yet get their defaults.
 *
 * @throws BackupError if anything is there already, and whatever reading the backup throws
 */
export async function restoreRows(place: BackupPlace, batches: AsyncGenerator<RowBatch>): Promise<void> {
  await using session = await openBackupSession(place, "clavis restore");
  const { client, tables, settings } = session;
  const names = tables.map(({ name }) => qualified(name)).join(", ");
  // A write that is under way is waited for, and then found by the check.
  await client.query(["begin", ...settings, `lock table ${names} in share row exclusive mode`].join("; "));
  await checkTablesEmpty(session);
  await insertAll(session, batches);
  // All rows are in and the backup has turned out to be whole.
  await client.query("commit");
  // Nothing is known of the new rows yet, and plans for empty tables would be slow ones.
  await client.query(`analyze ${names}`);
}

async function checkTablesEmpty({ client, tables }: BackupSession): Promise<void> {
  for (const { name } of tables) {
    const { rowCount } = await client.query(`select from ${qualified(name)} limit 1`);
    if (rowCount !== 0) {
      throw new BackupError(
        `there is something already (in the table ${name}), and restoring neither adds to it nor removes it: ` +
          "use a new database or data folder",
      );
    }
  }
}

async function insertAll({ client }: BackupSession, batches: AsyncGenerator<RowBatch>): Promise<void> {
  let statement = { table: "", text: "" };
  for await (const batch of batches) {
    if (batch.table !== statement.table) statement = { table: batch.table, text: await insertInto(client, batch) };
    if (batch.rows.length === 0) continue;
    try {
      await client.query(statement.text, [`[${batch.rows.join(",")}]`]);
    } catch (error) {
      // The likelier reason: a damaged file, which is only certain at its end.
      for await (const _ of batches);
      throw error;
    }
  }
}

/** A statement whose one parameter is a JSON array of rows. */
async function insertInto(client: pg.Client, { table, columns }: RowBatch): Promise<string> {
  const known = await columnsOf(client, table);
  const unknown = columns.find((column) => !known.includes(column));
  if (unknown !== undefined) throw new BackupError(`this version has no place for ${table}.${unknown} of the backup`);
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(", ");
  return `insert into ${qualified(table)} (${list})
          select ${list} from jsonb_populate_recordset(null::${qualified(table)}, $1::jsonb)`;
}
