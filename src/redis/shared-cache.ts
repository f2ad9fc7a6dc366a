import { randomInt } from "node:crypto";
import { deriveKey, type RootKey } from "../root-keys.ts";
import { MINUTE_MS } from "../time.ts";
import type { Reading } from "../verify/known-secret.ts";
import type { SharedCache } from "../verify/shared-cache.ts";
import type { RedisConnection } from "./connection.ts";
import { createMac } from "./mac.ts";
import { createNames } from "./names.ts";
import type { Command } from "./node.ts";
import { readScript } from "./script.ts";
import { type DiscardReason, openValue, sealValue, tombstoneOf } from "./sealed-value.ts";
import { createWriteQueue } from "./write-queue.ts";

export interface SharedCacheEvents {
  /** A value was looked for. `away` is that Redis did not say. */
  onRead(result: "hit" | "miss" | "away"): void;
  /** A value was there and not believed. */
  onDiscarded(reason: DiscardReason): void;
  /** `outdated` is that something newer was there, `dropped` that too much waited already or Redis is away. */
  onWritten(result: "kept" | "buried" | "outdated" | "too_large" | "dropped" | "failed"): void;
}

interface Parts {
  readonly redis: Pick<RedisConnection, "up" | "read" | "send" | "distrust">;
  /** The first of the deployment's. What was kept under another one is not found, and goes when its time is over. */
  readonly rootKey: RootKey;
  readonly events: SharedCacheEvents;
}

/** Spread by a fifth, so that what was kept together does not go together. */
const LIFE_MS = 10 * MINUTE_MS;
const LIFE_SPREAD_MS = (LIFE_MS * 20) / 100;

/** Longer than anything lives that was read before. */
const TOMBSTONE_LIFE_MS = LIFE_MS + LIFE_SPREAD_MS + MINUTE_MS;

/** Bytes by which a value is known again: version, tag and the beginning of what it says. */
const BEGINNING_BYTES = 128;

const scripts = { keep: readScript("keep"), bury: readScript("bury"), discard: readScript("discard") };

/** Keeps readings in Redis: sealed, under names that tell nothing, for ten minutes, and none older over a newer one. */
export function createRedisSharedCache({ redis, rootKey, events }: Parts): SharedCache {
  const names = createNames(rootKey);
  const mac = createMac(deriveKey(rootKey, "shared-cache"));
  const writes = createWriteQueue(redis);

  function write(command: Command, bytes: number, done: "kept" | "buried"): void {
    const queued = writes.push(command, bytes, (answer) => {
      events.onWritten(answer === 1 ? done : answer === 0 ? "outdated" : "failed");
    });
    if (!queued) events.onWritten("dropped");
  }

  /** Removes what is not believed, and ends the connection over which it came if that may be the reason. */
  async function throwOut(bad: readonly BadValue[]): Promise<void> {
    await redis.send(
      bad.map(({ name, value }) => ({
        name,
        run: scripts.discard,
        args: [value.subarray(0, BEGINNING_BYTES), value.length],
      })),
    );
    for (const { name, reason } of bad) if (reason === "mac" || reason === "name") redis.distrust(name);
  }

  return {
    async find(timeline, digests) {
      const tags = digests.map((digest) => names.tagOf(timeline, digest));
      const values = await redis.read(tags.map((tag) => names.ofReading(tag)));
      const found = new Map<string, Reading>();
      const bad: BadValue[] = [];
      for (const [index, digest] of digests.entries()) {
        const tag = tags[index] ?? "";
        const value = values[index];
        if (!value) {
          events.onRead(value === null ? "miss" : "away");
          continue;
        }
        const opened = openValue(mac, tag, value);
        events.onRead(opened.kind === "reading" ? "hit" : "miss");
        if (opened.kind === "reading") found.set(digest, opened.reading);
        if (opened.kind === "discarded") {
          events.onDiscarded(opened.reason);
          bad.push({ name: names.ofReading(tag), value, reason: opened.reason });
        }
      }
      if (bad.length > 0) void throwOut(bad);
      return found;
    },

    keep(digest, reading) {
      if (reading.known.length === 0) return;
      const tag = names.tagOf(reading.position.timeline, digest);
      const value = sealValue(mac, tag, reading);
      if (value === undefined) {
        events.onWritten("too_large");
        return;
      }
      const { text, version } = value;
      const lifeMs = LIFE_MS + randomInt(-LIFE_SPREAD_MS, LIFE_SPREAD_MS + 1);
      write({ name: names.ofReading(tag), run: scripts.keep, args: [text, version, lifeMs] }, text.length, "kept");
    },

    bury(timeline, digest, version) {
      const name = names.ofReading(names.tagOf(timeline, digest));
      const value = tombstoneOf(version);
      write({ name, run: scripts.bury, args: [value, version, TOMBSTONE_LIFE_MS] }, value.length, "buried");
    },
  };
}

interface BadValue {
  readonly name: string;
  readonly value: Buffer;
  readonly reason: DiscardReason;
}
