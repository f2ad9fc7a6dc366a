import type { Redis } from "ioredis";
import { SECOND_MS } from "../time.ts";

export interface Subscription {
  readonly channels: readonly string[];
  readonly onMessage: (channel: string) => void;
  /** Called each time that it hears again: whatever was said meanwhile it has missed. */
  readonly onSubscribed: () => void;
}

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2 * SECOND_MS;

/** A connection that nothing comes over may be quiet or dead. */
const PING_INTERVAL_MS = 5 * SECOND_MS;

/** Listens over one connection after the other, each made by `connect` and never used again once it has ended. */
export function openSubscriber(connect: () => Redis, { channels, onMessage, onSubscribed }: Subscription): Disposable {
  let redis: Redis | undefined;
  let attempts = 0;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  const ping = setInterval(() => {
    if (redis?.status === "ready") redis.ping().catch(() => redis?.stream.destroy());
  }, PING_INTERVAL_MS);
  start();

  function start(): void {
    const fresh = connect();
    redis = fresh;
    fresh.on("error", () => fresh.stream?.destroy());
    // What a listener throws is no fault of the connection, in whose parser it would end up.
    fresh.on("message", (channel) => process.nextTick(onMessage, channel));
    fresh.once("ready", () => void subscribe(fresh));
    fresh.once("end", () => {
      if (!closed) retry = setTimeout(start, Math.min(RETRY_MIN_MS * 2 ** attempts++, RETRY_MAX_MS));
    });
  }

  async function subscribe(fresh: Redis): Promise<void> {
    try {
      await fresh.subscribe(...channels);
    } catch {
      fresh.stream.destroy();
      return;
    }
    attempts = 0;
    if (!closed) onSubscribed();
  }

  return {
    [Symbol.dispose]() {
      closed = true;
      clearTimeout(retry);
      clearInterval(ping);
      redis?.disconnect();
    },
  };
}
