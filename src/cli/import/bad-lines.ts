import { type FileHandle, open } from "node:fs/promises";
import { usageFailure } from "../command-failure.ts";
import type { Terminal } from "../terminal.ts";
import type { RefusedLine } from "./import-batch.ts";

/** What became of the lines that are no keys. */
export interface BadLines extends AsyncDisposable {
  add(lines: readonly RefusedLine[]): Promise<void>;
  readonly count: number;
  /** Says on standard error which lines they were, and why. */
  tell(): void;
}

/** Whoever has more bad lines than that has one mistake in all of them, and a file for the rest. */
const TOLD_MAX = 100;

/** Keeps the first few bad lines for people, and all of them, as they stood there, in the file at `path` if there is one. */
export async function openBadLines({ stderr }: Terminal, path: string | undefined): Promise<BadLines> {
  const file = path === undefined ? undefined : await openFile(path);
  const told: RefusedLine[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    async add(lines) {
      count += lines.length;
      told.push(...lines.slice(0, TOLD_MAX - told.length));
      const records = lines.map(({ number, reason, text }) => JSON.stringify({ line: number, reason, text }));
      await file?.write(records.map((record) => `${record}\n`).join(""));
    },
    tell() {
      for (const { number, reason } of told.toSorted((a, b) => a.number - b.number)) {
        stderr.write(`line ${number}: ${reason}\n`);
      }
      if (count > told.length)
        stderr.write(`and ${count - told.length} more: --bad-lines writes all of them into a file\n`);
    },
    async [Symbol.asyncDispose]() {
      await file?.close();
    },
  };
}

/** The lines have digests in them, which are nobody else's business. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "w", 0o600);
  } catch (error) {
    throw usageFailure(`the file for bad lines cannot be written: ${(error as Error).message}`);
  }
}
