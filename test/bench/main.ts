/** `npm run bench`, or `npm run bench -- S1 S3`: ratios taken in one run, as a table and as JSON. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, release, tmpdir } from "node:os";
import { join } from "node:path";
import { findLoader } from "./load.ts";
import { type Row, rows } from "./rows.ts";

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
    for (const row of await measure(loader.run)) {
      done.push(row);
      print(lineOf(row));
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
function lineOf({ row, what, ratio, aim, met, detail }: Row): string {
  const verdict = aim === null ? "" : met ? `aim ${aim}: met` : `aim ${aim}: MISSED`;
  const rates = Object.entries(detail).map(([name, rate]) => `${name} ${Math.round(rate).toLocaleString("en")}/s`);
  return `${row.padEnd(4)}${ratio.toFixed(2).padStart(7)}  ${what.padEnd(76)}${verdict.padEnd(20)}${rates.join(", ")}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
