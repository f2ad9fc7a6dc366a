import { addAbortSignal, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { BackupError } from "./backup-error.ts";

const KIB = 1024;

/** What is read at once, and goes to Postgres in one statement: enough that the round trip does not count. */
const CHUNK_BYTES = 512 * KIB;

/** Compresses `parts` into `output`, and ends it. */
export async function compress(parts: AsyncIterable<Uint8Array>, output: Writable, signal: AbortSignal): Promise<void> {
  await pipeline(parts, createGzip(), output, { signal });
}

/**
 * Gives `read` what was compressed into `input`, and resolves to what it resolves to.
 *
 * @throws BackupError if that is cut off, damaged or nothing of the kind
 */
export async function decompress<T>(
  input: Readable,
  read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const gunzip = addAbortSignal(signal, createGunzip({ chunkSize: CHUNK_BYTES }));
  input.once("error", (error) => gunzip.destroy(error));
  input.pipe(gunzip);
  try {
    return await read(named(gunzip));
  } finally {
    input.destroy();
    gunzip.destroy();
  }
}

/** The chunks, zlib's errors put into words. */
async function* named(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "Z_BUF_ERROR") throw new BackupError("the backup is not whole: its end is missing", { cause });
    if (code === "Z_DATA_ERROR") throw new BackupError("the backup is damaged, or this is none of Clavis", { cause });
    throw cause;
  }
}
