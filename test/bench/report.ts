import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Row } from "./row.ts";

/** What one run of all rows gave. */
export interface Report {
  readonly machine: string;
  /** How much else it had to do when the run began: its load average over a minute, which should be next to nothing. */
  readonly loadAverage: number;
  /** Where the load came from. */
  readonly load: string;
  /** When it ended (RFC 3339). */
  readonly date: string;
  readonly rows: readonly Row[];
  /** Names of rows that nobody asked for, or for which something was not to be had. */
  readonly notMeasured: readonly string[];
}

const PATH = join(import.meta.dirname, "results/latest.json");

export function readReport(): Report {
  return JSON.parse(readFileSync(PATH, "utf8")) as Report;
}

export function writeReport(report: Report): void {
  mkdirSync(dirname(PATH), { recursive: true });
  writeFileSync(PATH, `${JSON.stringify(report, null, 2)}\n`);
}
