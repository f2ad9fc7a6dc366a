import type { Tone } from "./terminal.ts";
import { clip, fill, printable, widthOf } from "./text.ts";

export interface Column {
  readonly title: string;
  /** Gives way where the terminal is too narrow; others, such as ids, are useless unless whole. */
  readonly elastic?: boolean;
}

export interface Cell {
  readonly text: string;
  readonly tone?: Tone | undefined;
}

export interface TableOptions {
  readonly columns: readonly Column[];
  /** Of the terminal; undefined for a file or a pipe, where nothing is cut. */
  readonly width: number | undefined;
  readonly paint: (tone: Tone, text: string) => string;
}

const GAP = "  ";
const ELASTIC_MIN = 8;

/**
 * Lays out rows as they come, page by page. The first call decides on the widths, for lines that are printed cannot be
 * moved any more, and has the titles as its first line.
 */
export function createTable({ columns, width, paint }: TableOptions): (rows: readonly (readonly Cell[])[]) => string[] {
  let widths: readonly number[] | undefined;

  function line(cells: readonly Cell[], sizes: readonly number[]): string {
    const parts = cells.map(({ text, tone }, index) => {
      const size = sizes[index] ?? 0;
      const shown = columns[index]?.elastic === true ? clip(printable(text), size) : printable(text);
      const filled = index === cells.length - 1 ? shown : fill(shown, size);
      return tone === undefined ? filled : paint(tone, filled);
    });
    return parts.join(GAP).trimEnd();
  }

  return (rows) => {
    if (widths !== undefined) {
      const sizes = widths;
      return rows.map((row) => line(row, sizes));
    }
    const sizes = fitWidths(columns, rows, width);
    widths = sizes;
    const titles = columns.map(({ title }) => ({ text: title, tone: "quiet" as const }));
    return [titles, ...rows].map((row) => line(row, sizes));
  };
}

/** Names and values, one pair a line, the values aligned. */
export function renderPairs(
  pairs: readonly (readonly [name: string, value: Cell])[],
  paint: TableOptions["paint"],
): string[] {
  const size = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, { text, tone }]) => {
    const value = printable(text);
    return `${paint("quiet", fill(name, size))}${GAP}${tone === undefined ? value : paint(tone, value)}`;
  });
}

/** How wide each column is to be: as its widest cell, but elastic ones share what the terminal has left. */
export function fitWidths(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number | undefined,
): readonly number[] {
  const sizes = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => widthOf(printable(row[index]?.text ?? "")))),
  );
  if (width === undefined) return sizes;
  for (;;) {
    const excess = sizes.reduce((sum, size) => sum + size, 0) + GAP.length * (columns.length - 1) - width;
    const widest = widestElastic(columns, sizes);
    if (excess <= 0 || widest === undefined) return sizes;
    sizes[widest] = (sizes[widest] ?? 0) - 1;
  }
}

function widestElastic(columns: readonly Column[], sizes: readonly number[]): number | undefined {
  let widest: number | undefined;
  for (const [index, size] of sizes.entries()) {
    if (columns[index]?.elastic !== true || size <= ELASTIC_MIN) continue;
    if (widest === undefined || size > (sizes[widest] ?? 0)) widest = index;
  }
  return widest;
}
