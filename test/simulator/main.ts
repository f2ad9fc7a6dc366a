/** `node test/simulator/main.ts [--walks N] [--seed N] [--without GUARD] [--trace]`: random walks, and a line of figures. */
import { parseArgs } from "node:util";
import { type Guard, needed, notShown } from "./guards.ts";
import { walk } from "./walk.ts";

const { values } = parseArgs({
  options: {
    walks: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    without: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const without = values.without;
if (without !== undefined && !(without in needed) && !(without in notShown))
  throw new Error(`no guard is called ${without}`);
const leftOut = without === undefined ? {} : { without: without as Guard };

const first = Number(values.seed);
const walks = Number(values.walks);
const sums: Record<string, number> = {};
const failed: number[] = [];
const began = performance.now();
for (let seed = first; seed < first + walks; seed++) {
  const { violations, tally, admitted, events } = walk(seed, leftOut);
  for (const [name, count] of Object.entries({ ...tally, admitted, events })) {
    sums[name] = name === "slowestStrictMs" ? Math.max(sums[name] ?? 0, count) : (sums[name] ?? 0) + count;
  }
  if (violations.length > 0) failed.push(seed);
  if (violations.length > 0 && without === undefined) console.log(`seed ${seed} admits what was revoked`);
}
const shown = failed[0];
if (shown !== undefined && values.trace) {
  const { violations, trace } = walk(shown, { ...leftOut, traced: true });
  const broken = violations[0];
  console.log(trace.join("\n"));
  console.log(JSON.stringify(broken, undefined, 2));
}
const seconds = (performance.now() - began) / 1000;
console.log(
  JSON.stringify({
    walks,
    seeds: `${first}..${first + walks - 1}`,
    failed: failed.length,
    firstFailed: failed.slice(0, 5),
    seconds,
    ...sums,
  }),
);
if (failed.length > 0) process.exitCode = 1;
