import { type FileHandle, open, rename, stat } from "node:fs/promises";

const MIB = 1024 * 1024;

/** Above this the log is set aside at the next start. With statements and errors left out that takes years. */
const LOG_BYTES_MAX = 10 * MIB;

/** Of a failed start, what is shown: its cause stands in the last lines. */
const LAST_LINES_MAX = 15;
const LAST_BYTES_MAX = 8 * 1024;

/** The file to which Postgres writes what it has to say. */
export interface ServerLog extends AsyncDisposable {
  readonly path: string;
  readonly descriptor: number;
  /** The last lines written since the log was opened, or "". */
  lastLines(): Promise<string>;
}

/** Opens the log at `path` for appending. An overgrown one is kept as `path.old`, in place of the one before. */
export async function openServerLog(path: string): Promise<ServerLog> {
  const before = await stat(path).catch(() => undefined);
  if (before !== undefined && before.size > LOG_BYTES_MAX) await rename(path, `${path}.old`);
  const file = await open(path, "a+", 0o600);
  const start = (await file.stat()).size;
  return {
    path,
    descriptor: file.fd,
    lastLines: async () => await readLastLines(file, start),
    async [Symbol.asyncDispose]() {
      await file.close();
    },
  };
}

async function readLastLines(file: FileHandle, start: number): Promise<string> {
  const end = (await file.stat()).size;
  const from = Math.max(start, end - LAST_BYTES_MAX);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
  const lines = buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n");
  return lines.slice(-LAST_LINES_MAX).join("\n");
}
