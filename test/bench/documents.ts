import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chartOf } from "./chart.ts";
import type { Report } from "./report.ts";
import { aimOf, detailOf, figureOf, type Row } from "./row.ts";

const DOCS = join(import.meta.dirname, "../../docs");
const PAGE = join(DOCS, "performance.md");
const CHART = join(DOCS, "performance.svg");

const BEGIN = "<!-- made by npm run bench -->";
const END = "<!-- end of what is made -->";

/** A file of the documentation, and what it says or should say. */
export interface Document {
  readonly path: string;
  readonly text: string;
}

/** What the documentation should say of a run: its chart, and the page with its table. The rest of the page stays as it is. */
export function documentsOf(report: Report): readonly Document[] {
  const page = readFileSync(PAGE, "utf8");
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no place for the table`);
  const text = `${page.slice(0, begin)}${BEGIN}\n${tableOf(report)}${page.slice(end)}`;
  return [
    { path: PAGE, text },
    { path: CHART, text: chartOf(report.rows) },
  ];
}

export function writeDocuments(report: Report): void {
  for (const { path, text } of documentsOf(report)) writeFileSync(path, text);
}

function tableOf({ machine, loadAverage, load, date, rows, notMeasured }: Report): string {
  const head = ["| | work | measured | aim | | figures behind it |", "|---|---|---|---|---|---|"];
  const missing = notMeasured.length === 0 ? [] : ["", `Not measured in this run: ${notMeasured.join(", ")}.`];
  const busy = `whose load average was ${loadAverage.toFixed(1)} when the run began`;
  const origin = `On ${machine}, ${busy}, ${date.slice(0, 10)}, load from ${load}:`;
  return `${[origin, "", ...head, ...rows.map(lineOf), ...missing].join("\n")}\n`;
}

function lineOf(row: Row): string {
  const verdict = row.met === null ? "" : row.met ? "met" : "**missed**";
  return `| ${[row.row, row.what, figureOf(row), aimOf(row), verdict, detailOf(row)].join(" | ")} |`;
}
