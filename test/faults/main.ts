/**
 * Faults for as long as one likes, in one of two forms:
 *
 *     npm run faults -- [--seconds 75] [--long] [--seed 7]
 *     npm run faults -- --kills 50 [--seed 7]
 *
 * The first: three replicas on one Postgres and one Redis under load, rights taken away at random, replicas and wires failing at
 * random; `--long` is for a night, 8 hours unless `--seconds` says otherwise. It ends with 1 if one Verify was told that a key is
 * valid that had to be gone, or too many live keys were refused. The second, as `kill.test.ts`: a service and its Postgres killed
 * again and again; it ends with 1 at the first promise that was not kept.
 *
 * Both print the seed, how it goes, and one line of figures.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { openBenchPostgres } from "../bench/bench-postgres.ts";
import { testEnvironment } from "../harness/service.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { runKills } from "./kill-run.ts";
import { createEmbedded } from "./killable.ts";
import { runRevocations } from "./revocation-run.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string" },
    seconds: { type: "string" },
    long: { type: "boolean", default: false },
    seed: { type: "string" },
  },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));

const SECONDS = 75;
const NIGHT_SECONDS = 8 * 60 * 60;
const PER_SECOND = 700;
const CALM_MS = 8_000;

/** Of the Verifies of live keys at replicas that are well. */
const LIVE_SHARE_MIN = 0.99;

const say = (line: string) => void process.stdout.write(`${line}\n`);
say(`seed ${seed}`);
if (values.kills === undefined) await revocations(Number(values.seconds ?? (values.long ? NIGHT_SECONDS : SECONDS)));
else await kills(Number(values.kills));

async function kills(number: number): Promise<void> {
  await using folder = await openTemporaryFolder();
  await using service = createEmbedded(folder.path);
  sayFigures({ ...(await runKills({ ...service, seed, kills: number, say })) });
}

async function revocations(seconds: number): Promise<void> {
  await using postgres = await openBenchPostgres();
  const env = testEnvironment(postgres.url);
  const report = await runRevocations({
    seed,
    seconds,
    calmMs: CALM_MS,
    databaseUrl: postgres.url,
    env,
    perSecond: PER_SECOND,
    say,
  });
  const { violations, live, told, healthyMs, slowestStrictMs, faults, ...figures } = report;
  say(`faults: ${JSON.stringify(faults)}`);
  say(`live keys that were not VALID at replicas that were well: ${JSON.stringify(live.otherwise)}`);
  const share = live.valid / live.asked;
  sayFigures({
    ...figures,
    ...told,
    violations: violations.length,
    live_verifies: live.asked,
    live: `${(100 * share).toFixed(3)}%`,
    healthy: healthyMs.count,
    p50: `${healthyMs.p50.toFixed(0)}ms`,
    p99: `${healthyMs.p99.toFixed(0)}ms`,
    slowest_strict: `${slowestStrictMs.toFixed(0)}ms`,
  });
  if (violations.length > 0 || share < LIVE_SHARE_MIN) process.exitCode = 1;
}

function sayFigures(figures: Readonly<Record<string, string | number>>): void {
  say(
    Object.entries({ seed, ...figures })
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  );
}
