import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRedis } from "../../harness/redis.ts";
import { openBenchPostgres } from "../bench-postgres.ts";
import { compete } from "../contest.ts";
import { SMALL_CACHE, startEach } from "../each-key.ts";
import { lookupsOf, mustComeFrom } from "../layers.ts";
import type { Loader } from "../load.ts";
import { openPrimaryKeySelects } from "../primary-key-selects.ts";
import { openRedisBenchmark } from "../redis-benchmark.ts";
import { type Row, ratioRow } from "../row.ts";

const KEYS = 10_000;

/** On each of eight connections: 256 in all. */
const STREAMS = 32;

/** Long enough for each key to be read from Postgres once, and so to be in Redis. */
const FILL_SECONDS = 10;

/** S6: each Verify of a key that no cache has, against as many selects as the same Postgres can do by a primary key. */
export async function cold(run: Loader): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const folder = await openFolder(stack);
  const { url, ownerUrl } = stack.use(await openBenchPostgres());
  const { load, service } = await startEach(stack, {
    url,
    folder,
    keys: KEYS,
    settings: SMALL_CACHE,
    streams: STREAMS,
  });
  const since = await lookupsOf(service);
  const selects = stack.use(await openPrimaryKeySelects(ownerUrl));
  const to = `${selects.name}, ${selects.clients} clients`;
  const rates = await compete({ clavis: (seconds: number) => run(load, seconds), [to]: selects.turn });
  await mustComeFrom("postgres", service, since);
  const what = "gRPC Verify, 256 under way, no key in a cache, of selects by primary key";
  return [ratioRow({ row: "S6", what, rates, of: "clavis", to, aim: 0.3 })];
}

/** S7: each Verify of a key that only Redis has, against keys that this process has. */
export async function inRedis(run: Loader): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const folder = await openFolder(stack);
  const { url } = stack.use(await openBenchPostgres());
  const redis = stack.use(await openRedis());
  if (redis === undefined) throw new Error("there is no Redis");
  const settings = [...SMALL_CACHE, `CLAVIS_REDIS_URL=${redis.url}`];
  const shared = await startEach(stack, { url, folder, keys: KEYS, settings, streams: STREAMS });
  const memory = await startEach(stack, { url, folder, keys: KEYS });
  const floor = await openRedisBenchmark(redis.url);
  await run(shared.load, FILL_SECONDS);
  const since = await lookupsOf(shared.service);
  const rates = await compete({
    memory: (seconds) => run(memory.load, seconds),
    shared: (seconds) => run(shared.load, seconds),
    "GETs by redis-benchmark": floor,
  });
  await mustComeFrom("shared", shared.service, since);
  const what = "gRPC Verify, 256 under way, keys in Redis alone, of keys in memory";
  return [ratioRow({ row: "S7", what, rates, of: "shared", to: "memory", aim: 0.5 })];
}

async function openFolder(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
  stack.defer(() => rm(folder, { recursive: true }));
  return folder;
}
