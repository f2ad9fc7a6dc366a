import { open } from "node:fs/promises";
import { usageFailure } from "../command-failure.ts";
import type { Terminal } from "../terminal.ts";

/** Bytes to import, counted as they are read. */
export interface ImportInput extends AsyncDisposable {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** In bytes, where that is known beforehand. */
  readonly size: number | undefined;
  readonly bytesRead: number;
}

/** Opens the file at `path`, or standard input for `-`. */
export async function openImportInput(path: string, { stdin }: Terminal): Promise<ImportInput> {
  if (path === "-") return counted(stdin, undefined, async () => {});
  try {
    const file = await open(path);
    const { size } = await file.stat();
    return counted(file.createReadStream({ autoClose: false }), size, () => file.close());
  } catch (error) {
    throw usageFailure(`the file cannot be read: ${(error as Error).message}`);
  }
}

function counted(source: AsyncIterable<Uint8Array>, size: number | undefined, close: () => Promise<void>): ImportInput {
  let bytesRead = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      bytesRead += chunk.length;
      yield chunk;
    }
  }
  return {
    chunks: chunks(),
    size,
    get bytesRead() {
      return bytesRead;
    },
    [Symbol.asyncDispose]: close,
  };
}
