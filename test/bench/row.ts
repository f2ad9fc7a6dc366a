import { median } from "./contest.ts";

/** One line of the table. A row that has an aim says whether it is met. */
export type Row = Ratio | Value;

/** How much of something else, measured in the same run. */
export interface Ratio extends Line {
  readonly ratio: number;
}

/** What is small where it is good. */
export interface Value extends Line {
  readonly value: number;
  readonly unit: Unit;
}

interface Line {
  /** Its name in the design: `S1`. */
  readonly row: string;
  readonly what: string;
  /** The least that a ratio should be, or the most that a value should be; null where nothing is aimed at. */
  readonly aim: number | null;
  readonly met: boolean | null;
  /** Figures of those who took part. They say something about each other alone. */
  readonly detail: Readonly<Record<string, number>>;
  /** What they count. */
  readonly detailUnit: Unit;
}

export type Unit = "/s" | "s";

/** How many times as much as `to` is `of`, of those whose rates per second are given. */
export function ratioRow<Name extends string>(line: {
  row: string;
  what: string;
  rates: Readonly<Record<Name, number>>;
  of: NoInfer<Name>;
  to: NoInfer<Name>;
  aim?: number;
}): Row {
  const { row, what, rates, of, to, aim = null } = line;
  const ratio = rates[of] / rates[to];
  return { row, what, ratio, aim, met: aim === null ? null : ratio >= aim, detail: rates, detailUnit: "/s" };
}

/** The median of some times, in seconds. */
export function timeRow(line: { row: string; what: string; seconds: readonly number[]; aim: number }): Row {
  const { row, what, seconds, aim } = line;
  const value = median(seconds);
  const detail = { shortest: Math.min(...seconds), longest: Math.max(...seconds) };
  return { row, what, value, unit: "s", aim, met: value <= aim, detail, detailUnit: "s" };
}
