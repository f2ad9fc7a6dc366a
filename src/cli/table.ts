import type { Tone } from "./terminal.ts";
import { clip, fill, printable, widthOf } from "./text.ts";

export interface Column {
  readonly title: string;
  /** Gives way where the terminal is too narrow; others, such as ids, are useless unless whole. */
  readonly elastic?: boolean;
  /** Left out where the terminal is too narrow for it, the highest number first; without a number it never is. */
  readonly spare?: number | undefined;
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
 * Lays out rows as they come, page by page. The first call decides on columns and widths, for lines that are printed cannot
 * be moved any more, and has the titles as its first line.
 */
export function createTable({ columns, width, paint }: TableOptions): (rows: readonly (readonly Cell[])[]) => string[] {
  let layout: Layout | undefined;

  return (rows) => {
    if (layout !== undefined) return lines(rows, layout);
    layout = fitLayout(columns, rows, width);
    return lines([columns.map(({ title }) => ({ text: title, tone: "quiet" })), ...rows], layout);
  };

  function lines(rows: readonly (readonly Cell[])[], layout: Layout): string[] {
    return rows.map((row) => {
      const parts = layout.map(({ index, elastic, size }, place) => {
        const { text, tone } = row[index] ?? { text: "" };
        const shown = elastic ? clip(printable(text), size) : printable(text);
        const filled = place === layout.length - 1 ? shown : fill(shown, size);
        return tone === undefined ? filled : paint(tone, filled);
      });
      return parts.join(GAP).trimEnd();
    });
  }
}

/** The columns that are shown, by their places among all, and how wide each is. */
type Layout = readonly Place[];

interface Place {
  readonly index: number;
  readonly elastic: boolean;
  readonly size: number;
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

/** Each column as wide as its widest cell; on a terminal those that it has room for, of which elastic ones share the rest. */
function fitLayout(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number | undefined): Layout {
  const places = columns.map(({ title, elastic = false, spare = 0 }, index) => {
    const size = Math.max(title.length, ...rows.map((row) => widthOf(printable(row[index]?.text ?? ""))));
    return { index, elastic, spare, size };
  });
  if (width === undefined) return places;

  const least = (place: Place) => ({ ...place, size: place.elastic ? Math.min(place.size, ELASTIC_MIN) : place.size });
  let kept: Place[] = [];
  for (const place of places.toSorted((a, b) => a.spare - b.spare)) {
    if (place.spare === 0 || totalOf([...kept, place].map(least)) <= width) kept.push(place);
  }
  kept = kept.toSorted((a, b) => a.index - b.index);
  for (;;) {
    const widest = kept
      .filter(({ elastic, size }) => elastic && size > ELASTIC_MIN)
      .toSorted((a, b) => b.size - a.size)[0];
    if (widest === undefined || totalOf(kept) <= width) return kept;
    kept = kept.map((place) => (place === widest ? { ...place, size: place.size - 1 } : place));
  }
}

function totalOf(places: readonly Place[]): number {
  return places.reduce((sum, { size }) => sum + size, GAP.length * (places.length - 1));
}
