/** Chance that repeats itself: the same seed gives the same values. */
export interface Seeded {
  /** From 0 up to, but not including, `end`. */
  below(end: number): number;
  /** True this often. */
  often(share: number): boolean;
  pick<T>(values: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** Mulberry32: small, and good enough to choose tests by. */
export function createSeeded(seed: number): Seeded {
  let state = seed >>> 0;

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  const below = (end: number) => Math.floor(next() * end);
  return {
    below,
    often: (share) => next() < share,
    pick(values) {
      if (values.length === 0) throw new Error("nothing to pick from");
      return values[below(values.length)] as (typeof values)[number];
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}
