import { LRUCache } from "lru-cache";
import { type Clock, MINUTE_MS, SECOND_MS } from "../time.ts";
import type { KnownSecret, Reading } from "./known-secret.ts";
import { bytesOf } from "./record-size.ts";

/** A reading that is kept, and what is known of its belief. */
export interface CachedReading {
  readonly reading: Reading;
  /** By the monotonic clock: up to then it may answer. */
  readonly freshUntilMs: number;
  /** Up to then it is not asked again whether another tenant has imported the same secret meanwhile, while `news` stays this. */
  readonly completeUntilMs: number;
  readonly news: number | undefined;
  /** The replica's epoch in which it was last believed. */
  epoch: number;
}

/** Readings in this process, by digest. Bounded by bytes; secrets that nobody knows are kept apart and push out no others. */
export interface SecretCache {
  get(digest: string): CachedReading | undefined;
  /**
   * Keeps a reading that is believed in this epoch of the replica. `news` is what it was before Postgres was asked; without, nobody
   * knows how long ago that was. What the reading lacks may have been made known since then.
   */
  keep(digest: string, reading: Reading, epoch: number, news?: number): void;
  /** Whether Postgres said a moment ago that nobody knows it. */
  isUnknown(digest: string): boolean;
  forget(digest: string): void;
  /** Somebody may have made known what nobody knew. */
  forgetUnknown(): void;
  /** Grows with each of these. */
  readonly news: number;
  clear(): void;
  /** One that was asked for lately, at random. */
  sample(): string | undefined;
  readonly size: number;
  readonly bytes: number;
}

interface Parts {
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly random: () => number;
}

/** Nothing rests on it, since changes are heard of: it bounds what an error could do. Shorter than the horizon's lag. */
const FRESH_MS = 5 * MINUTE_MS;

/** So that what was read together is not read again together. */
const JITTER = 0.2;

/** Bounds how long an import is not seen by who has asked for the secret before. */
const UNKNOWN_MS = SECOND_MS;
const UNKNOWN_MAX = 50_000;

/** Of lately asked ones, for samples. */
const LATELY_MAX = 64;

export function createSecretCache({ bytesMax, clock, monotonicMs, random }: Parts): SecretCache {
  const known = new LRUCache<string, CachedReading>({
    maxSize: bytesMax,
    sizeCalculation: ({ reading }) => bytesOf(reading),
  });
  const unknown = new LRUCache<string, number>({ max: UNKNOWN_MAX });
  let news = 0;

  return {
    get: (digest) => known.get(digest),
    keep(digest, reading, epoch, newsBefore) {
      const nowMs = monotonicMs();
      if (reading.known.length === 0) {
        known.delete(digest);
        if (newsBefore === news) unknown.set(digest, nowMs + UNKNOWN_MS);
        return;
      }
      const jittered = FRESH_MS * (1 - JITTER + 2 * JITTER * random());
      const freshUntilMs = nowMs + Math.min(jittered, untilNextTurn(reading.known, clock()));
      known.set(digest, { reading, freshUntilMs, completeUntilMs: nowMs + UNKNOWN_MS, news: newsBefore, epoch });
      unknown.delete(digest);
    },
    isUnknown(digest) {
      const untilMs = unknown.get(digest);
      return untilMs !== undefined && monotonicMs() < untilMs;
    },
    forget: (digest) => void known.delete(digest),
    forgetUnknown() {
      news += 1;
      unknown.clear();
    },
    get news() {
      return news;
    },
    clear() {
      known.clear();
      unknown.clear();
    },
    sample() {
      // Most recently used first.
      let left = Math.floor(random() * Math.min(known.size, LATELY_MAX));
      for (const digest of known.keys()) if (left-- <= 0) return digest;
      return undefined;
    },
    get size() {
      return known.size;
    },
    get bytes() {
      return known.calculatedSize;
    },
  };
}

/** Until one of them expires or is rotated away. What comes of it is decided to the millisecond; it is only not kept for longer. */
function untilNextTurn(known: readonly KnownSecret[], now: number): number {
  const turns = known.flatMap(({ record }) => [record.expireTime, record.secretStopTime]);
  const ahead = turns.filter((time): time is number => time !== null && time > now).map((time) => time - now);
  return Math.min(Number.POSITIVE_INFINITY, ...ahead);
}
