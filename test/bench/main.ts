/** `npm run bench`, or `npm run bench -- S1 S3`: ratios taken in one run, as a table and as JSON. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, release, tmpdir } from "node:os";
import { join } from "node:path";
import { findLoader } from "./load.ts";
import type { Row } from "./row.ts";
import { rows } from "./rows.ts";

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(rows, name));
if (unknown.length > 0)
  throw new Error(`there is no row ${unknown.join(", ")}; there are ${Object.keys(rows).join(", ")}`);

const folder = mkdtempSync(join(tmpdir(), "clavis-load-"));
const loader = findLoader(folder);
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, ${platform()} ${release()} ${arch()}, Node ${process.version}`;
print(`load from ${loader.name}\non ${machine}`);

const done: Row[] = [];
try {
  for (const [name, measure] of Object.entries(rows)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    try {
      for (const row of await measure(loader.run)) {
        done.push(row);
        print(lineOf(row));
      }
    } catch (error) {
      // What is missing for one row is no reason to give up the others.
      print(`${name.padEnd(4)} NOT MEASURED: ${String(error)}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

const results = join(import.meta.dirname, "results");
mkdirSync(results, { recursive: true });
const report = { machine, load: loader.name, date: new Date().toISOString(), rows: done };
writeFileSync(join(results, "latest.json"), `${JSON.stringify(report, null, 2)}\n`);

/** What misses its aim says so. */
function lineOf(row: Row): string {
  const figure = "ratio" in row ? row.ratio.toFixed(2) : `${row.value.toFixed(2)} ${row.unit}`;
  const verdict = row.aim === null ? "" : `aim ${"ratio" in row ? "≥" : "≤"} ${row.aim}: ${row.met ? "met" : "MISSED"}`;
  const detail = Object.entries(row.detail).map(
    ([name, rate]) => `${name} ${rate.toLocaleString("en", { maximumSignificantDigits: 3 })}${row.detailUnit}`,
  );
  return `${row.row.padEnd(4)}${figure.padStart(7)}  ${row.what.padEnd(76)}${verdict.padEnd(20)}${detail.join(", ")}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
