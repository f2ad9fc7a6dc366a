import { Redis } from "ioredis";
import type { Log } from "../log.ts";
import type { Secret } from "../secret.ts";
import { SECOND_MS } from "../time.ts";

/** The way to Redis, which may be cut at any time without a wrong answer: nothing that it holds is needed. */
export interface RedisConnection extends AsyncDisposable {
  /** Whether commands would be sent at the moment. */
  up(): boolean;
}

const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 2 * SECOND_MS;
const RECONNECT_MAX_MS = 2 * SECOND_MS;
const KEEP_ALIVE_MS = 5 * SECOND_MS;

/** Connects in the background, and again whenever the connection breaks. Commands fail at once meanwhile, instead of queueing. */
export function openRedis(url: Secret, log: Log): RedisConnection {
  const redis = new Redis(url.reveal(), {
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(2 ** attempt * 50, RECONNECT_MAX_MS),
  });
  let known: boolean | undefined;
  const note = (up: boolean) => {
    if (known === up) return;
    known = up;
    if (up) log.info("redis is there");
    else log.warn("redis is away; nothing depends on it");
  };
  redis.on("ready", () => note(true));
  redis.on("close", () => note(false));
  // Each failed attempt is an error event as well; without a listener it would end the process.
  redis.on("error", () => {});

  return {
    up: () => redis.status === "ready",
    async [Symbol.asyncDispose]() {
      redis.removeAllListeners("close");
      redis.disconnect();
    },
  };
}
