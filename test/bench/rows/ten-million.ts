import { openBenchPostgres } from "../bench-postgres.ts";
import { addBulkKeys } from "../bulk-keys.ts";
import { askOnce, compete, type Service, startService } from "../contest.ts";
import { SMALL_CACHE } from "../each-key.ts";
import { lookupsOf, mustComeFrom } from "../layers.ts";
import type { Load, Loader } from "../load.ts";
import { grpcVerify, grpcVerifyBulk, mustBeValid } from "../requests.ts";
import { type Row, ratioRow } from "../row.ts";
import { PERMISSIONS } from "../servers/work.ts";

const MANY = 10_000_000;
const FEW = 10_000;

/** Takes about 100,000 of these keys. */
const CACHE = ["CLAVIS_CACHE_MEGABYTES=145"];

/** Until a cache of that size has what is asked for most. */
const FILL_SECONDS = 30;

/** On each of eight connections: 256 in all. */
const STREAMS = 32;

/** S8: ten million keys against ten thousand, each in a database of their own: drawn by Zipf's law from the cache, and cold. */
export async function tenMillion(run: Loader): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const few = await open(stack, FEW);
  const many = await open(stack, MANY);
  for (const load of [few.zipf, many.zipf]) await run(load, FILL_SECONDS);
  const cached = await contest(run, few.zipf, many.zipf);
  const since = await lookupsOf(many.service);
  const cold = await contest(run, few.cold, many.cold);
  await mustComeFrom("postgres", many.service, since);
  const row = "S8";
  const sides = { of: "ten million", to: "ten thousand", aim: 0.8 } as const;
  return [
    ratioRow({ row, what: "gRPC Verify by Zipf's law, cache of 100,000, 10,000,000 keys", rates: cached, ...sides }),
    ratioRow({ row, what: "gRPC Verify, 256 under way, no key in a cache, 10,000,000 keys", rates: cold, ...sides }),
  ];
}

function contest(run: Loader, few: Load, many: Load) {
  return compete({
    "ten thousand": (seconds) => run(few, seconds),
    "ten million": (seconds) => run(many, seconds),
  });
}

/** A database with so many keys, and the load on a service with a good cache and on one with hardly any, which comes with it. */
async function open(stack: AsyncDisposableStack, count: number): Promise<{ zipf: Load; cold: Load; service: Service }> {
  const { url, ownerUrl } = stack.use(await openBenchPostgres());
  const cached = stack.use(await startService("servers/clavis-server.ts", url, "1", "", ...CACHE));
  const cold = stack.use(await startService("servers/clavis-server.ts", url, "1", "", ...SMALL_CACHE));
  const { work } = cached;
  await addBulkKeys({
    ownerUrl,
    keyspaceId: work.keyspaceId,
    count,
    permissions: PERMISSIONS,
    onProgress: progressOf(count),
  });
  const zipf = grpcVerifyBulk(cached.url, work, count, "zipf");
  mustBeValid(grpcVerify.verdicts(await askOnce(zipf)), 1);
  return { zipf, cold: grpcVerifyBulk(cold.url, work, count, "uniform", STREAMS), service: cold };
}

const BAR_LENGTH = 40;

/** A bar on the terminal, and nothing where there is none. */
function progressOf(count: number): (done: number) => void {
  return (done) => {
    if (!process.stderr.isTTY) return;
    const filled = Math.floor((BAR_LENGTH * done) / count);
    const bar = "#".repeat(filled).padEnd(BAR_LENGTH, "-");
    process.stderr.write(`\r[${bar}] ${done.toLocaleString("en")} keys${done === count ? "\n" : ""}`);
  };
}
