/** Tells how much memory cached keys take: `cache-memory.ts URL KEYS`, of those that were added in bulk. */
import { hash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openPool } from "../../../src/postgres/pool.ts";
import { createSecretStore } from "../../../src/postgres/secret-store.ts";
import { monotonicMs, SECOND_MS, systemClock } from "../../../src/time.ts";
import type { Reading } from "../../../src/verify/known-secret.ts";
import { createSecretCache } from "../../../src/verify/secret-cache.ts";
import { bulkSecret } from "../bulk-keys.ts";
import { tell } from "./announce.ts";

export interface CacheMemory {
  /** Of the heap and beside it, for each key. */
  readonly bytesPerKey: number;
  /** What a cache that is full takes of what it may. */
  readonly ofBound: number;
}

const MIB = 1024 * 1024;
const BOUND_BYTES = 16 * MIB;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const [, , url = "", keys = ""] = process.argv;
const wait = { connectionsMax: 4, waitMsMax: 10 * SECOND_MS, queryMsMax: 10 * SECOND_MS };
const pool = openPool({ url, ...wait, applicationName: "clavis bench" });
const store = createSecretStore(pool);

const unbounded = await fill(Number.MAX_SAFE_INTEGER);
const bounded = await fill(BOUND_BYTES);
await pool.end();
if (bounded.cache.size === unbounded.cache.size) throw new Error("too few keys to fill the cache");
const told: CacheMemory = {
  bytesPerKey: unbounded.bytes / unbounded.cache.size,
  ofBound: bounded.bytes / BOUND_BYTES,
};
tell(told);

/** A cache that each of the keys has been put into, read alone, so that nothing is shared but what the service itself shares. */
async function fill(bytesMax: number) {
  const cache = createSecretCache({ bytesMax, clock: systemClock, monotonicMs, random: Math.random });
  const before = usedBytes();
  let next = 0;
  await Promise.all(
    Array.from({ length: wait.connectionsMax }, async () => {
      while (next < Number(keys)) {
        const digest = hash("sha256", bulkSecret(next++));
        cache.keep(digest, await read(digest), 0);
      }
    }),
  );
  return { cache, bytes: usedBytes() - before };
}

async function read(digest: string): Promise<Reading> {
  const readingOf = await store.readAll([digest]);
  const reading = readingOf(digest);
  if (reading.known.length !== 1) throw new Error("a key is not there");
  return reading;
}

function usedBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
