/**
 * Faults for as long as one likes, in one of two forms:
 *
 *     npm run faults -- [--seconds 75] [--long] [--seed 7] [--without GUARD]
 *     npm run faults -- --kills 50 [--seed 7]
 *
 * The first: three replicas on one Postgres and one Redis under load, rights taken away at random, replicas, wires and servers
 * failing at random. It ends with 1 if a single Verify was told that a key is valid that had to be gone, or if too many live keys
 * were refused. `--long` is for a night, 8 hours unless `--seconds` says otherwise; `--without` takes out a guard of `guards.ts`,
 * which is to be found out. The second, as `kill.test.ts`: a service and its Postgres killed again and again. It ends with 1 at
 * the first promise that was not kept.
 *
 * Both print the seed, how it goes, and one line of figures.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { fromUuid } from "../../src/postgres/columns.ts";
import { testEnvironment } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { argvWithout, type Guard, isGuard } from "./guards.ts";
import { runKills } from "./kill-run.ts";
import { createEmbedded } from "./killable.ts";
import { openOwnPostgres } from "./own-postgres.ts";
import { runRevocations } from "./revocation-run.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string" },
    seconds: { type: "string" },
    long: { type: "boolean", default: false },
    seed: { type: "string" },
    without: { type: "string" },
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
  await using folder = await openTemporaryFolder();
  const open = () => openOwnPostgres(folder.path, { track_commit_timestamp: "on" });
  let postgres = await open();
  await using _ = { [Symbol.asyncDispose]: async () => await postgres[Symbol.asyncDispose]() };
  const { violations, live, told, healthyMs, strictTimes, faults, ...figures } = await runRevocations({
    ...{ seed, seconds, calmMs: CALM_MS, perSecond: PER_SECOND, say },
    databaseUrl: postgres.url,
    env: testEnvironment(postgres.url),
    ...(values.without !== undefined && { argv: argvWithout(guardOf(values.without)) }),
    async crashPostgres() {
      await postgres.crash();
      await postgres[Symbol.asyncDispose]();
      postgres = await open();
      return postgres.url;
    },
  });
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
    strict: strictTimes.size,
    slowest_strict: `${(await slowestFromCommit(postgres.adminUrl, strictTimes)).toFixed(0)}ms`,
  });
  if (violations.length > 0 || share < LIVE_SHARE_MIN) process.exitCode = 1;
}

function guardOf(name: string): Guard {
  if (!isGuard(name)) throw new Error(`no guard is called ${name}`);
  return name;
}

/** Milliseconds from the COMMIT of a key's end to the time that was told, at the most. */
async function slowestFromCommit(adminUrl: string, times: ReadonlyMap<string, number>): Promise<number> {
  await using sql = await openSql(adminUrl);
  const commits = await sql.query<{ id: string; ms: number }>(
    `select entity_id as id, extract(epoch from min(pg_xact_commit_timestamp(xid::xid))) * 1000 as ms
     from clavis.changes where kind = 'key' group by entity_id`,
  );
  const waits = commits.map(({ id, ms }) => (times.get(fromUuid("key", id)) ?? 0) - Number(ms));
  return Math.max(0, ...waits);
}

function sayFigures(figures: Readonly<Record<string, string | number>>): void {
  say(
    Object.entries({ seed, ...figures })
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  );
}
