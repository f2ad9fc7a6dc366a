import type { Pages, Timestamp } from "@clavis/sdk";
import { systemClock } from "../time.ts";
import { holdsFrom } from "./holds-from.ts";
import { jsonLine } from "./json.ts";
import { type Cell, createTable, renderPairs } from "./table.ts";
import { createPaint, type Terminal, write } from "./terminal.ts";
import type { Field, View } from "./views.ts";

/** `table` for people, `json` for programs, `secret` for the new secret and nothing else. */
export type Format = "table" | "json" | "secret";

/** Brings answers to standard output in the format that was asked for. */
export interface Output {
  /** An answer, of which people are shown `item`. */
  answer<T>(view: View<T>, item: T, answer: Answer): Promise<void>;
  /** An answer with a new secret in it, which is the last line on standard output. */
  issued<T>(view: View<T>, item: T, secret: string, answer: Answer): Promise<void>;
  /** An answer whose point is some texts, each of which people get on a line of its own. */
  lines(texts: readonly string[], answer: Answer): Promise<void>;
  /** An answer without anything to show, of which people are told in words. */
  done(words: string, answer: Answer): Promise<void>;
  /** The items of a list, up to `limit`, as they come. By default people get a screenful or two, programs everything. */
  list<T extends object>(view: View<T>, open: (pageSize: number) => Pages<T>, limit: number | undefined): Promise<void>;
  /** How many of what, in the end. */
  summary(counts: Readonly<Record<string, number>>): Promise<void>;
  /** Something to know that was not asked for, on standard error. */
  note(words: string): void;
}

type Answer = object & { readonly effectiveTime?: Timestamp | undefined };

/** What the contract gives at most. */
const PAGE_SIZE_MAX = 200;

const TABLE_LIMIT = 100;

export function createOutput({ stdout, stderr }: Terminal, format: Format): Output {
  const paint = createPaint(stdout);
  const width = stdout.isTTY && stdout.columns > 0 ? stdout.columns : undefined;
  const note = (words: string) => void stderr.write(`${createPaint(stderr)("quiet", words)}\n`);
  const print = (lines: readonly string[]) => write(stdout, lines.map((line) => `${line}\n`).join(""));

  function pairsOf<T>(view: View<T>, item: T, { effectiveTime }: Answer): string[] {
    const pairs = view.flatMap((field): [string, Cell][] => {
      const cell = cellOf(field, item);
      return cell.text === "" ? [] : [[field.name, cell]];
    });
    if (effectiveTime !== undefined) pairs.push(["holds from", holdsFrom(effectiveTime, systemClock())]);
    return renderPairs(pairs, paint);
  }

  return {
    async answer(view, item, answer) {
      await (format === "json" ? write(stdout, jsonLine(answer)) : print(pairsOf(view, item, answer)));
    },

    async issued(view, item, secret, answer) {
      if (format === "json") return write(stdout, jsonLine(answer));
      if (format === "secret") return print([secret]);
      await print([...pairsOf(view, item, answer), ""]);
      note("The secret, shown this once and kept nowhere:");
      await print([secret]);
    },

    async lines(texts, answer) {
      await (format === "json" ? write(stdout, jsonLine(answer)) : print(texts));
    },

    async done(words, answer) {
      if (format === "json") await write(stdout, jsonLine(answer));
      else note(words);
    },

    async summary(counts) {
      const words = Object.entries(counts).map(([name, count]) => `${count.toLocaleString("en")} ${name}`);
      await (format === "json" ? write(stdout, jsonLine(counts)) : print([words.join(", ")]));
    },

    async list(view, open, limit = format === "json" ? Number.POSITIVE_INFINITY : TABLE_LIMIT) {
      const fields = view.filter(({ column }) => column !== undefined);
      const columns = fields.map(({ name, column, spare }) => ({ title: name, elastic: column === "elastic", spare }));
      const layOut = createTable({ columns, width, paint });
      let listed = 0;
      for await (const { items, nextPageToken } of open(Math.min(limit, PAGE_SIZE_MAX)).pages()) {
        const shown = items.slice(0, limit - listed);
        listed += shown.length;
        if (format === "json") await write(stdout, shown.map(jsonLine).join(""));
        else if (listed > 0) {
          await print(layOut(shown.map((item) => fields.map((field) => cellOf(field, item)))));
        }
        if (listed < limit) continue;
        if (items.length > shown.length || nextPageToken !== "") note(`There are more than ${limit}: see --limit.`);
        return;
      }
      if (listed === 0 && format !== "json") note("None.");
    },

    note,
  };
}

function cellOf<T>(field: Field<T>, item: T): Cell {
  return { text: field.of(item), tone: field.tone?.(item) };
}
