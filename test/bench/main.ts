/**
 * Ratios taken in one run.
 *
 *     npm run bench              all rows: a table, test/bench/results/latest.json, and with it docs/performance.md and its chart
 *     npm run bench -- --long    also what takes twenty minutes and twenty gigabytes
 *     npm run bench -- S1 S3     these rows; nothing is written
 *     npm run bench -- --chart   page and chart anew from the JSON; nothing is measured
 */
import { mkdtempSync, rmSync } from "node:fs";
import { arch, cpus, loadavg, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeDocuments } from "./documents.ts";
import { findLoader } from "./load.ts";
import { readReport, writeReport } from "./report.ts";
import { aimOf, detailOf, figureOf, type Row } from "./row.ts";
import { longRows, rows } from "./rows.ts";

const { values, positionals } = parseArgs({
  options: { chart: { type: "boolean" }, long: { type: "boolean" } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !Object.hasOwn(rows, name));
if (unknown.length > 0)
  throw new Error(`there is no row ${unknown.join(", ")}; there are ${Object.keys(rows).join(", ")}`);

if (values.chart) writeDocuments(readReport());
else await measureAll();

async function measureAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "clavis-load-"));
  const loader = findLoader(folder);
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, ${platform()} ${arch()}, Node ${process.version}`;
  const [loadAverage = 0] = loadavg();
  print(`load from ${loader.name}\non ${machine}, load average ${loadAverage.toFixed(1)}`);

  const done: Row[] = [];
  const notMeasured: string[] = [];
  for (const [name, measure] of Object.entries(rows)) {
    if (positionals.length > 0 ? !positionals.includes(name) : longRows.includes(name) && !values.long) {
      notMeasured.push(name);
      continue;
    }
    try {
      for (const row of await measure(loader.run)) {
        done.push(row);
        print(lineOf(row));
      }
    } catch (error) {
      // What is missing for one row is no reason to give up the others.
      notMeasured.push(name);
      print(`${name.padEnd(4)} NOT MEASURED: ${String(error)}`);
      process.exitCode = 1;
    }
  }
  rmSync(folder, { recursive: true });

  if (positionals.length > 0) return;
  const report = { machine, loadAverage, load: loader.name, date: new Date().toISOString(), rows: done, notMeasured };
  writeReport(report);
  writeDocuments(report);
}

/** What misses its aim says so. */
function lineOf(row: Row): string {
  const verdict = row.aim === null ? "" : `aim ${aimOf(row)}: ${row.met ? "met" : "MISSED"}`;
  return `${row.row.padEnd(4)}${figureOf(row).padStart(7)}  ${row.what.padEnd(76)}${verdict.padEnd(20)}${detailOf(row)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
