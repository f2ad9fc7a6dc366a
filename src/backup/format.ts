import { z } from "zod";
import { BackupError } from "./backup-error.ts";

/**
 * What a backup looks like: lines of JSON, compressed with gzip.
 *
 *     {"@clavis":"backup","format":1,"version":"0.1.0","migrations":["0001-initial"],"time":"2026-01-02T03:04:05.678Z"}
 *     {"@table":"tenants","columns":["tenant_id","display_name",...]}
 *     {"tenant_id":"0198...","display_name":"Acme",...}
 *     {"@table":"keyspaces","columns":[...]}
 *     ...
 *     {"@end":{"rows":{"tenants":1,"keyspaces":3,...},"sha256":"9f86..."}}
 *
 * A line whose first name begins with `@` tells of what follows; every other one is a row of the table named last, with
 * the columns by name. The digest is that of all bytes before the last line, so that a file that was cut off or changed
 * is told from a whole one. It is no signature: who can write a backup can write another.
 */
export const FORMAT = 1;

/** What the first line says. */
export interface BackupHeader {
  /** Of the Clavis that made it. */
  readonly version: string;
  /** What had been applied to the schema that the rows come from. */
  readonly migrations: readonly string[];
  /** When, in RFC 3339. */
  readonly time: string;
}

/** Some rows of one table, each as a JSON object on one line. */
export interface RowBatch {
  readonly table: string;
  /** All that the rows have, in order. */
  readonly columns: readonly string[];
  /** None in the batch that stands for an empty table. */
  readonly rows: readonly string[];
}

/** How many rows each table has, in the order of the tables. */
export type RowCounts = ReadonlyMap<string, number>;

const MARK = '{"@';

const columnNames = z.array(z.string().regex(/^[a-z_]+$/));
const headerLine = z.object({
  version: z.string(),
  migrations: z.array(z.string()),
  time: z.string(),
});
const tableLine = z.strictObject({ "@table": z.string().regex(/^[a-z_]+$/), columns: columnNames });

export function formatHeader({ version, migrations, time }: BackupHeader): string {
  return `${JSON.stringify({ "@clavis": "backup", format: FORMAT, version, migrations, time })}\n`;
}

/** @throws BackupError if the line is not the first one of a backup that this version can read */
export function parseHeader(line: string): BackupHeader {
  const value = parseJson(line) as { "@clavis"?: unknown; format?: unknown; version?: unknown } | null | undefined;
  if (value?.["@clavis"] !== "backup") throw new BackupError("this is no backup of Clavis");
  if (typeof value.format === "number" && value.format > FORMAT) {
    throw new BackupError(
      `the backup was made by Clavis ${String(value.version)}: restore it with that version or a later one`,
    );
  }
  const result = headerLine.safeParse(value);
  if (value.format !== FORMAT || !result.success) throw new BackupError("the first line of the backup makes no sense");
  return result.data;
}

export function formatTable({ table, columns }: Pick<RowBatch, "table" | "columns">): string {
  return `${JSON.stringify({ "@table": table, columns })}\n`;
}

/** @throws BackupError if the line does not begin a table */
export function parseTable(line: string): Omit<RowBatch, "rows"> {
  const result = tableLine.safeParse(parseJson(line));
  if (!result.success) throw new BackupError("a line of the backup makes no sense");
  return { table: result.data["@table"], columns: result.data.columns };
}

/** The last line. A reader makes it as well and compares, so that not a byte of it may differ. */
export function formatEnd(rows: RowCounts, sha256: string): string {
  return `${JSON.stringify({ "@end": { rows: Object.fromEntries(rows), sha256 } })}\n`;
}

/** Whether a line is none of a row. No column's name begins with the mark. */
export function isMarked(line: string): boolean {
  return line.startsWith(MARK);
}

export function isEnd(line: string): boolean {
  return line.startsWith(`${MARK}end"`);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
