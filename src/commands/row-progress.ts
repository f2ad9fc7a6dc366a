import type { WriteStream } from "node:tty";
import type { RowBatch } from "../backup/format.ts";

/** Tells a person how far rows have come: a line that changes on a terminal, otherwise one line a table. */
export interface RowProgress {
  /** The same batches, counted as they pass. */
  count(batches: AsyncIterable<RowBatch>): AsyncGenerator<RowBatch>;
  /** Says that all is well, with the number of rows, and what else there is to know. */
  end(words: string, note: string): void;
  /** Leaves the line that changes. */
  fail(): void;
}

/** Back to the beginning of the line, and away with the rest of it. */
const REWRITE = "\r\u001b[K";

// No spinner of @clack/prompts: it reads standard input, which is where a backup may come from.
export function startRowProgress(stderr: Pick<WriteStream, "write" | "isTTY">): RowProgress {
  const counts = new Map<string, number>();
  const told = (table: string) => `${table}: ${rowsOf(counts.get(table) ?? 0)}`;
  const clear = stderr.isTTY ? REWRITE : "";

  return {
    async *count(batches) {
      for await (const batch of batches) {
        const { table, rows } = batch;
        const last = lastOf(counts);
        if (last !== table && last !== undefined) stderr.write(`${clear}${told(last)}\n`);
        counts.set(table, (counts.get(table) ?? 0) + rows.length);
        if (stderr.isTTY) stderr.write(`${clear}${told(table)} ...`);
        yield batch;
      }
      const last = lastOf(counts);
      if (last !== undefined) stderr.write(`${clear}${told(last)}\n`);
    },
    end(words, note) {
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      stderr.write(`${words}: ${rowsOf(total)}. ${note}\n`);
    },
    fail() {
      stderr.write(clear);
    },
  };
}

function lastOf(counts: ReadonlyMap<string, number>): string | undefined {
  return [...counts.keys()].at(-1);
}

function rowsOf(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}`;
}
