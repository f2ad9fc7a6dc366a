import { type BatchResult, type ImportLine, importBatch, type RefusedLine, type SendBatch } from "./import-batch.ts";
import { parseImportLine } from "./import-line.ts";
import type { NumberedLine } from "./numbered-lines.ts";

/** What the contract takes at once. */
const BATCH_LINES_MAX = 1000;

/** The service reads 8 MiB of a request, and a character may be three bytes in it. */
const BATCH_LENGTH_MAX = 2 * 1024 * 1024;

export interface ImportOptions {
  readonly keyspaceId: string;
  readonly send: SendBatch;
}

/**
 * Imports line by line what stands in `lines`, in batches one after the other, and tells of each what became of it. No
 * more than one batch is held. Empty lines mean nothing.
 */
export async function* importLines(
  lines: AsyncIterable<NumberedLine>,
  { keyspaceId, send }: ImportOptions,
): AsyncGenerator<BatchResult> {
  let batch: ImportLine[] = [];
  let refused: RefusedLine[] = [];
  let length = 0;

  async function flush(): Promise<BatchResult> {
    const result = await importBatch(keyspaceId, batch, send);
    const all = { imported: result.imported, refused: [...refused, ...result.refused] };
    [batch, refused, length] = [[], [], 0];
    return all;
  }

  for await (const { number, text } of lines) {
    if (text?.trim() === "") continue;
    const parsed = text === undefined ? { problem: "is too long" } : parseImportLine(text);
    if ("problem" in parsed) {
      refused.push({ number, text: text ?? "", reason: parsed.problem, known: false });
    } else {
      batch.push({ number, text: text ?? "", key: parsed.key });
    }
    length += text?.length ?? 0;
    if (batch.length + refused.length >= BATCH_LINES_MAX || length >= BATCH_LENGTH_MAX) yield await flush();
  }
  if (batch.length + refused.length > 0) yield await flush();
}
