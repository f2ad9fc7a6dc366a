/** Chance that can be had again: the same seed makes the same choices. */
export interface Prng {
  /** From 0 up to but without 1. */
  next(): number;
  /** A whole number from 0 up to but without `bound`. */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Buffer;
  /** A UUID in its usual form. */
  uuid(): string;
  /** Text that programs stumble over. */
  text(): string;
  number(): number;
  /** Anything that JSON can say, at most `depth` deep. */
  value(depth: number): unknown;
}

/** Mulberry32 (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c): 32 bits of state, enough for tests. */
export function createPrng(seed: number): Prng {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const prng: Prng = {
    next,
    below: (bound) => Math.floor(next() * bound),
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[prng.below(items.length)];
      if (item === undefined && items.length === 0) throw new RangeError("nothing to pick from");
      return item as (typeof items)[number];
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => prng.below(256))),
    uuid() {
      const hex = prng.bytes(16).toString("hex");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
    text: () =>
      prng.pick([
        "",
        "\0",
        "a\u0000b",
        "'; drop table keys; --",
        "%",
        "\\",
        "\u202e",
        "𝕏".repeat(40),
        "x".repeat(600),
        "__proto__",
        "null",
        "-1",
      ]),
    number: () => prng.pick([0, -0, 1, -1, 0.5, 1e308, 2 ** 53, 2 ** 31, -(2 ** 63)]),
    value(depth) {
      const kind = prng.below(depth > 0 ? 7 : 5);
      if (kind === 0) return null;
      if (kind === 1) return prng.chance(0.5);
      if (kind === 2) return prng.number();
      if (kind < 5) return prng.text();
      const children = Array.from({ length: prng.below(4) }, () => prng.value(depth - 1));
      return kind === 5
        ? children
        : Object.fromEntries(children.map((child, index) => [`${prng.text()}${index}`, child]));
    },
  };
  return prng;
}
