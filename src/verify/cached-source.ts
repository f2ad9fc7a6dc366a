import type { Replica } from "../coherence/replica.ts";
import type { Rules } from "../coherence/rules.ts";
import { DomainError, failedWith } from "../errors.ts";
import { SECOND_MS } from "../time.ts";
import { gatherReads } from "./gathered-reads.ts";
import { type Reading, readRecordOf } from "./known-secret.ts";
import type { Found, RecordSource, Wanted } from "./record-source.ts";
import type { CachedReading, SecretCache } from "./secret-cache.ts";
import type { SecretStore } from "./secret-store.ts";
import type { SharedCache } from "./shared-cache.ts";
import type { UnknownBudget } from "./unknown-budget.ts";

/** Where an answer came from. */
export type Layer = "memory" | "shared" | "postgres" | "degraded" | "unavailable";

interface Parts {
  readonly store: SecretStore;
  readonly cache: SecretCache;
  /** What all replicas share; undefined where there is none. */
  readonly shared: SharedCache | undefined;
  readonly replica: Pick<Replica, "leased" | "mayStandIn" | "timeline" | "connected" | "epoch" | "believes">;
  readonly rules: Pick<Rules, "mayDegrade">;
  readonly budget: UnknownBudget;
  readonly monotonicMs: () => number;
  readonly onAnswer: (layer: Layer) => void;
}

/** Reads of Postgres at the same time, and secrets in one. A flood makes these few reads larger, and leaves the rest to everybody else. */
const READS_MAX = 4;
const BATCH_MAX = 500;

/**
 * For those who have asked for too much that nobody knows: one read at a time, with a rest after it, and no more secrets wait than
 * it takes. So Postgres is asked about 5,000 of their secrets in a second at most.
 */
const SLOW_READS_MAX = 1;
const SLOW_REST_MS = 100;
const SLOW_WAITING_MAX = 500;
const SLOW_RETRY_MS = SECOND_MS;
const AWAY_RETRY_MS = SECOND_MS;

const SHARED_READS_MAX = 8;
const SHARED_BATCH_MAX = 250;

/** Connections that reading takes at most. */
export const LOOKUP_CONNECTIONS = READS_MAX + SLOW_READS_MAX;

const nobody: Found = { known: undefined, degraded: false };

/**
 * Memory first, then what the replicas share, then Postgres; what answers from a cache only while the replica holds a lease and
 * believes it (`docs/architecture.md`).
 */
export function createCachedSource(parts: Parts): RecordSource {
  const { store, cache, shared, replica, rules, budget, monotonicMs, onAnswer } = parts;
  const readMany = (digests: readonly string[]) => store.readAll(digests);
  const fast = gatherReads({ readMany, readsMax: READS_MAX, batchMax: BATCH_MAX });
  const slow = gatherReads({
    readMany,
    readsMax: SLOW_READS_MAX,
    batchMax: SLOW_WAITING_MAX,
    restMs: SLOW_REST_MS,
    waitingMax: SLOW_WAITING_MAX,
    overflow: () => new DomainError({ reason: "TOO_MANY_UNKNOWN_SECRETS", retryAfterMs: SLOW_RETRY_MS }),
  });
  const sharedReads = gatherReads<Reading | undefined>({
    async readMany(digests) {
      const { timeline } = replica;
      const found = shared === undefined || timeline === undefined ? undefined : await shared.find(timeline, digests);
      return (digest) => found?.get(digest);
    },
    readsMax: SHARED_READS_MAX,
    batchMax: SHARED_BATCH_MAX,
  });
  /** Reads under way on behalf of who had a lease when they began. */
  const flights = new Map<string, Promise<Reading>>();
  /** Whether Postgres has answered a read since the change feed was cut off. */
  let readsWork = true;
  let wasConnected = false;

  return {
    find(wanted) {
      const leased = replica.leased();
      if (leased) {
        const cached = cache.get(wanted.digest);
        if (cached !== undefined && monotonicMs() < cached.freshUntilMs && isBelieved(cached)) {
          const known = cached.reading.known.find(wanted.isMeant);
          if (known !== undefined || isComplete(cached)) {
            onAnswer("memory");
            return { known, degraded: false };
          }
        }
      }
      if (cache.isUnknown(wanted.digest)) {
        onAnswer("memory");
        return nobody;
      }
      return miss(wanted, leased);
    },

    async read(digest) {
      const { known } = await fast.read(digest);
      return known;
    },
  };

  function isBelieved(cached: CachedReading): boolean {
    const { epoch } = replica;
    if (cached.epoch === epoch) return true;
    if (!replica.believes(readRecordOf(cached.reading))) return false;
    cached.epoch = epoch;
    return true;
  }

  /** Whether what the reading lacks is not there: another tenant may have imported the same secret since. */
  function isComplete({ completeUntilMs, news }: CachedReading): boolean {
    return monotonicMs() < completeUntilMs && news === cache.news;
  }

  async function miss(wanted: Wanted, leased: boolean): Promise<Found> {
    const { digest, payer } = wanted;
    if (seemsAway()) {
      // One read tries whether Postgres is back, and nobody waits for it.
      if (!fast.busy) void readStore(digest, payer).catch(() => {});
      return standIn(wanted, new DomainError({ reason: "STORE_UNAVAILABLE", retryAfterMs: AWAY_RETRY_MS }));
    }
    try {
      const { known } = leased ? await join(wanted) : await readStore(digest, payer);
      return { known: known.find(wanted.isMeant), degraded: false };
    } catch (error) {
      return standIn(wanted, error);
    }
  }

  /** Whether the change feed is cut off, and no read has got through since. */
  function seemsAway(): boolean {
    const { connected } = replica;
    if (wasConnected && !connected) readsWork = false;
    wasConnected = connected;
    return !connected && !readsWork;
  }

  /**
   * Joins who reads the same already. They may have been told before this call, so what they are told has to be believed; and what
   * they are not told of may have been made known since.
   */
  async function join(wanted: Wanted): Promise<Reading> {
    const { digest, payer, isMeant } = wanted;
    const joined = flights.get(digest);
    if (joined === undefined) return fly(wanted);
    const reading = await joined;
    return reading.known.some(isMeant) && replica.believes(readRecordOf(reading)) ? reading : readStore(digest, payer);
  }

  async function fly(wanted: Wanted): Promise<Reading> {
    const { digest } = wanted;
    const flight = throughLayers(wanted);
    flights.set(digest, flight);
    try {
      return await flight;
    } finally {
      flights.delete(digest);
    }
  }

  async function throughLayers({ digest, payer, isMeant }: Wanted): Promise<Reading> {
    if (shared !== undefined) {
      const reading = await sharedReads.read(digest);
      if (reading?.known.some(isMeant) === true && remember(digest, reading)) {
        onAnswer("shared");
        return reading;
      }
    }
    return readStore(digest, payer);
  }

  /** What Postgres says to a read that is sent after this call: right for who asks now, whatever it is worth later. */
  async function readStore(digest: string, payer: string): Promise<Reading> {
    const lane = budget.isSpent(payer) ? slow : fast;
    const { news } = cache;
    let reading: Reading;
    try {
      reading = await lane.read(digest);
    } catch (error) {
      if (failedWith(error, "STORE_UNAVAILABLE")) readsWork = false;
      throw error;
    }
    readsWork = true;
    onAnswer("postgres");
    if (reading.known.length === 0) budget.charge(payer);
    if (remember(digest, reading, news) && reading.known.length > 0) shared?.keep(digest, reading);
    return reading;
  }

  function remember(digest: string, reading: Reading, news?: number): boolean {
    if (!replica.believes(readRecordOf(reading))) return false;
    cache.keep(digest, reading, replica.epoch, news);
    return true;
  }

  /** What is cached may answer, flagged, where Postgres does not. */
  function standIn(wanted: Wanted, error: unknown): Found {
    const known = cache.get(wanted.digest);
    const meant = known?.reading.known.find(wanted.isMeant);
    if (
      known === undefined ||
      meant === undefined ||
      !failedWith(error, "STORE_UNAVAILABLE") ||
      !rules.mayDegrade(meant.keyspaceMode) ||
      !replica.mayStandIn() ||
      !isBelieved(known)
    ) {
      onAnswer("unavailable");
      throw error;
    }
    onAnswer("degraded");
    return { known: meant, degraded: true };
  }
}
