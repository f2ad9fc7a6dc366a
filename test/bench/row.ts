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

export type Unit = "/s" | "s" | "bytes" | "";

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
  const { seconds, ...rest } = line;
  const detail = { shortest: Math.min(...seconds), longest: Math.max(...seconds) };
  return { ...valueRow({ ...rest, value: median(seconds), unit: "s" }), detail, detailUnit: "s" };
}

export function valueRow(line: { row: string; what: string; value: number; unit: Unit; aim: number }): Value {
  return { ...line, met: line.value <= line.aim, detail: {}, detailUnit: line.unit };
}

/** What was measured, in words: `0.75`, or `1.5 s`. */
export function figureOf(row: Row): string {
  return "ratio" in row
    ? row.ratio.toFixed(2)
    : withUnit(row.unit === "bytes" ? Math.round(row.value) : row.value, row.unit);
}

/** What it should be: `≥ 0.75`, or nothing. */
export function aimOf(row: Row): string {
  if (row.aim === null) return "";
  return "ratio" in row ? `≥ ${row.aim}` : `≤ ${withUnit(row.aim, row.unit)}`;
}

function withUnit(value: number, unit: Unit): string {
  return `${value.toLocaleString("en", { maximumFractionDigits: 2 })} ${unit}`.trim();
}

/** How often the aim is reached: 1 is just met, and more is better. Undefined where nothing is aimed at. */
export function scoreOf(row: Row): number | undefined {
  if (row.aim === null) return undefined;
  return "ratio" in row ? row.ratio / row.aim : row.aim / row.value;
}

/** The figures behind it: `lean 31,100/s, floor 52,700/s`. */
export function detailOf({ detail, detailUnit }: Row): string {
  const space = detailUnit.startsWith("/") ? "" : " ";
  const figures = Object.entries(detail).map(
    ([name, figure]) => `${name} ${figure.toLocaleString("en", { maximumSignificantDigits: 3 })}${space}${detailUnit}`,
  );
  return figures.join(", ");
}
