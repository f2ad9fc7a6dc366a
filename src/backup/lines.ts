import { BackupError } from "./backup-error.ts";

const LINE_FEED = 0x0a;

/**
 * Cuts bytes into lines, each with its line feed; many at a time, since a step of a generator costs more than a line.
 * Bytes after the last line feed come as a line without one.
 *
 * @throws BackupError on a line of more than `lineBytesMax`, which would otherwise fill the memory
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<readonly Buffer[]> {
  let unfinished: Buffer[] = [];
  let unfinishedBytes = 0;
  for await (const bytes of chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED) + 1; end > 0; end = chunk.indexOf(LINE_FEED, start) + 1) {
      const line = chunk.subarray(start, end);
      lines.push(unfinished.length === 0 ? line : Buffer.concat([...unfinished, line]));
      unfinished = [];
      unfinishedBytes = 0;
      start = end;
    }
    if (start < chunk.length) unfinished.push(chunk.subarray(start));
    unfinishedBytes += chunk.length - start;
    if (unfinishedBytes > lineBytesMax) throw new BackupError("the backup has a line that is too long");
    if (lines.length > 0) yield lines;
  }
  if (unfinished.length > 0) yield [Buffer.concat(unfinished)];
}
