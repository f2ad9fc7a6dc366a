import { createHash } from "node:crypto";
import { type BackupHeader, formatEnd, formatHeader, formatTable, type RowBatch } from "./format.ts";

/** The text of a backup, in parts. The batches of one table follow each other. */
export async function* writeBackup(header: BackupHeader, batches: AsyncIterable<RowBatch>): AsyncGenerator<Buffer> {
  const digest = createHash("sha256");
  const counts = new Map<string, number>();
  const part = (text: string): Buffer => {
    const bytes = Buffer.from(text);
    digest.update(bytes);
    return bytes;
  };

  yield part(formatHeader(header));
  for await (const batch of batches) {
    const count = counts.get(batch.table);
    const begin = count === undefined ? formatTable(batch) : "";
    counts.set(batch.table, (count ?? 0) + batch.rows.length);
    yield part(batch.rows.length === 0 ? begin : `${begin}${batch.rows.join("\n")}\n`);
  }
  yield Buffer.from(formatEnd(counts, digest.digest("hex")));
}
