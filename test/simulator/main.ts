/**
 * `node test/simulator/main.ts [--walks 1000] [--seed 1] [--without GUARD] [--shrink]`: random walks, the trace of the first one that
 * fails, and a line of figures. With `--shrink`, the trace is that of a smaller walk that fails as well.
 */
import { parseArgs } from "node:util";
import { type Guard, needed, notShown } from "./guards.ts";
import { shrink } from "./shrink.ts";
import { type Outcome, walk } from "./walk.ts";

const { values } = parseArgs({
  options: {
    walks: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    without: { type: "string" },
    shrink: { type: "boolean", default: false },
  },
});
const without = guardOf(values.without);
const leftOut = without === undefined ? {} : { without };
const firstSeed = Number(values.seed);
const walks = Number(values.walks);

const began = performance.now();
const figures: Record<string, number> = {};
const failed: Outcome[] = [];
for (let seed = firstSeed; seed < firstSeed + walks; seed++) {
  const outcome = walk(seed, leftOut);
  const { tally, admitted, events } = outcome;
  for (const [name, figure] of Object.entries({ events, ...tally, admitted })) {
    const before = figures[name] ?? 0;
    figures[name] = name.startsWith("slowest") ? Math.max(before, Math.round(figure)) : before + figure;
  }
  if (outcome.violations.length > 0) failed.push(outcome);
}

const [shown] = failed;
if (shown !== undefined) {
  const { course, seed } = values.shrink ? shrink(shown, without) : shown;
  const { trace, violations } = walk(seed, { ...leftOut, course, traced: true });
  console.log(trace.join("\n"));
  console.log(`seed ${seed} of ${JSON.stringify(course)}`);
  console.log("admitted:", violations[0]);
  process.exitCode = 1;
}
const seconds = Math.round((performance.now() - began) / 1000);
const seeds = failed.slice(0, 10).map(({ seed }) => seed);
console.log(JSON.stringify({ walks, firstSeed, failed: failed.length, seeds, seconds, ...figures }));

function guardOf(name: string | undefined): Guard | undefined {
  if (name === undefined) return undefined;
  const guard = [...Object.keys(needed), ...Object.keys(notShown)].find((one) => one === name);
  if (guard === undefined) throw new Error(`no guard is called ${name}`);
  return guard as Guard;
}
