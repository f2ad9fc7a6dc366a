import { createHash } from "node:crypto";
import { BackupError } from "./backup-error.ts";
import { type BackupHeader, formatEnd, isEnd, isMarked, parseHeader, parseTable, type RowBatch } from "./format.ts";
import { linesOf } from "./lines.ts";

const MIB = 1024 * 1024;

/** Far more than the contract lets a row grow to. */
const LINE_BYTES_MAX = 64 * MIB;

/** A backup that is being read. */
export interface Backup {
  readonly header: BackupHeader;
  /**
   * The rows, to be read once: of each table at least one batch, and no more in a batch than a chunk of the text has.
   *
   * Throws BackupError on a backup that is not whole or has been changed, and possibly only after the last row: until
   * this has come to its end, nothing that came of it may be kept.
   */
  readonly batches: AsyncGenerator<RowBatch>;
}

/**
 * Reads the text of a backup as far as its first line. Throws BackupError on what is no backup, or one for a later
 * version.
 */
export async function openBackup(chunks: AsyncIterable<Uint8Array>): Promise<Backup> {
  const groups = linesOf(chunks, LINE_BYTES_MAX);
  const { value } = await groups.next();
  const [first, ...rest]: readonly Buffer[] = value ?? [];
  if (first === undefined) throw new BackupError("this is no backup of Clavis: it is empty");
  return { header: parseHeader(first.toString()), batches: batchesOf(first, rest, groups) };
}

async function* batchesOf(
  header: Buffer,
  rest: readonly Buffer[],
  groups: AsyncIterable<readonly Buffer[]>,
): AsyncGenerator<RowBatch> {
  const parser = createParser(header);
  yield* parser.take(rest);
  for await (const lines of groups) yield* parser.take(lines);
  parser.finish();
}

/** Makes batches of the lines that follow the header, and sees whether they are those that were written. */
function createParser(header: Buffer) {
  const digest = createHash("sha256").update(header);
  const counts = new Map<string, number>();
  let ended = false;
  let batch: (Omit<RowBatch, "rows"> & { rows: string[] }) | undefined;

  return {
    *take(lines: readonly Buffer[]): Generator<RowBatch> {
      for (const line of lines) {
        if (ended) throw new BackupError("the backup goes on after its end");
        const text = line.toString();
        if (!text.endsWith("\n")) throw new BackupError("the backup is not whole: its end is missing");
        if (isEnd(text)) {
          checkEnd(text);
        } else if (isMarked(text)) {
          digest.update(line);
          if (batch !== undefined) yield batch;
          batch = begin(text);
        } else {
          digest.update(line);
          add(text.slice(0, -1));
        }
      }
      if (batch === undefined) return;
      yield batch;
      batch = { ...batch, rows: [] };
    },
    finish(): void {
      if (!ended) throw new BackupError("the backup is not whole: its end is missing");
    },
  };

  function begin(text: string) {
    const table = parseTable(text);
    if (counts.has(table.table)) throw changed();
    counts.set(table.table, 0);
    return { ...table, rows: [] };
  }

  function add(row: string): void {
    if (batch === undefined) throw changed();
    batch.rows.push(row);
    counts.set(batch.table, (counts.get(batch.table) ?? 0) + 1);
  }

  function checkEnd(text: string): void {
    if (text !== formatEnd(counts, digest.digest("hex"))) throw changed();
    ended = true;
  }
}

function changed(): BackupError {
  return new BackupError("the backup has been changed or damaged since it was made");
}
