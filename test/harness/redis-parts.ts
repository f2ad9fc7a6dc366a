import { randomBytes } from "node:crypto";
import type { Bulletin } from "../../src/coherence/bulletin.ts";
import { createLog } from "../../src/log.ts";
import { createRedisBulletin } from "../../src/redis/bulletin.ts";
import { openRedis, type RedisConnection } from "../../src/redis/connection.ts";
import { createRedisSharedCache, type SharedCacheEvents } from "../../src/redis/shared-cache.ts";
import { newRootKey, type RootKey } from "../../src/root-keys.ts";
import { Secret } from "../../src/secret.ts";
import type { SharedCache } from "../../src/verify/shared-cache.ts";
import { until } from "./until.ts";

/** What a replica has of Redis, without the replica. */
export interface RedisParts extends AsyncDisposable {
  readonly redis: RedisConnection;
  readonly rootKey: RootKey;
  readonly cache: SharedCache;
  readonly bulletin: Bulletin;
  /** What was told of the cache so far, and how often: `read hit`, `discarded mac`, `written kept`. */
  count(event: string): number;
  /** Resolves when all that was kept and buried has been written, or has failed to be. */
  readonly written: () => Promise<void>;
  /** What was logged. */
  readonly logged: readonly string[];
}

export interface RedisPartsOptions {
  /** By default one that nobody else has. */
  readonly rootKey?: RootKey;
  /** Those that it has beside it. */
  readonly formerRootKeys?: readonly RootKey[];
  /** How long an answer may take, by default as long as in earnest; longer where a machine that is busy must not matter. */
  readonly budgetMs?: number;
}

/** Opens them on the Redis at `url`. Resolves when that is there. */
export async function openRedisParts(url: string, options: RedisPartsOptions = {}): Promise<RedisParts> {
  const { rootKey = newRootKey(randomBytes(4).toString("hex")), formerRootKeys = [], budgetMs } = options;
  const logged: string[] = [];
  const log = createLog("info", { write: (line) => void logged.push(line) });
  const redis = openRedis(new Secret(url), log, budgetMs);
  const counts = new Map<string, number>();
  let pending = 0;
  let waiting: (() => void)[] = [];
  const told = (event: string) => void counts.set(event, (counts.get(event) ?? 0) + 1);
  const events: SharedCacheEvents = {
    onRead: (result) => told(`read ${result}`),
    onDiscarded: (reason) => told(`discarded ${reason}`),
    onWritten(result) {
      told(`written ${result}`);
      pending -= 1;
      if (pending > 0) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
  };
  const cache = createRedisSharedCache({ redis, rootKey, events });
  const bulletin = createRedisBulletin({ redis, rootKeys: [rootKey, ...formerRootKeys] });
  await until("redis is there", () => redis.up());
  return {
    redis,
    rootKey,
    cache: {
      find: (timeline, digests) => cache.find(timeline, digests),
      keep(digest, reading) {
        if (reading.known.length > 0) pending += 1;
        cache.keep(digest, reading);
      },
      bury(timeline, digest, version) {
        pending += 1;
        cache.bury(timeline, digest, version);
      },
    },
    bulletin,
    count: (event) => counts.get(event) ?? 0,
    written: () => new Promise((resolve) => (pending === 0 ? resolve() : waiting.push(resolve))),
    logged,
    [Symbol.asyncDispose]: async () => await redis[Symbol.asyncDispose](),
  };
}
