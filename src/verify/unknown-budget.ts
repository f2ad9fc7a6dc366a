import { LRUCache } from "lru-cache";

/** Who has asked for more secrets that nobody knows than anyone asks by mistake. */
export interface UnknownBudget {
  isSpent(payer: string): boolean;
  charge(payer: string): void;
}

/** Unknown secrets per second that cost a payer nothing, and how many may come at once. */
const PER_SECOND = 100;
const BURST = 1000;

/** Those remembered. Who is forgotten begins with a whole burst. */
const PAYERS_MAX = 10_000;

/** A token bucket for each payer. `monotonicMs` never goes back. */
export function createUnknownBudget(monotonicMs: () => number): UnknownBudget {
  const buckets = new LRUCache<string, { left: number; atMs: number }>({ max: PAYERS_MAX });

  function leftOf(payer: string): { left: number; atMs: number } {
    const nowMs = monotonicMs();
    const bucket = buckets.get(payer);
    if (bucket === undefined) return { left: BURST, atMs: nowMs };
    return { left: Math.min(BURST, bucket.left + ((nowMs - bucket.atMs) * PER_SECOND) / 1000), atMs: nowMs };
  }

  return {
    isSpent: (payer) => leftOf(payer).left < 1,
    charge(payer) {
      const bucket = leftOf(payer);
      buckets.set(payer, { ...bucket, left: Math.max(0, bucket.left - 1) });
    },
  };
}
