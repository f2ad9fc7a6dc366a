import { describe, expect, it } from "vitest";
import { aKnownSecret, aReading } from "../../test/harness/readings.ts";
import { bytesOf } from "./record-size.ts";
import { createSecretCache } from "./secret-cache.ts";

const FRESH_MS = 5 * 60_000;
const now = Date.UTC(2027, 0, 1);
const unknown = aReading([]);

describe("the cache of secrets", () => {
  it("gives what it keeps, with the epoch in which that was believed", () => {
    const { cache } = aCache();
    const reading = aReading();
    cache.keep("a", reading, 7, cache.news);
    expect(cache.get("a")).toMatchObject({ reading, epoch: 7 });
    expect([cache.get("b"), cache.size, cache.bytes]).toEqual([undefined, 1, bytesOf(reading)]);
  });

  it("takes no more memory than it may, and lets go of what was not asked for longest", () => {
    const { cache } = aCache({ bytesMax: 10 * bytesOf(aReading()) });
    for (let index = 0; index < 10; index++) cache.keep(`${index}`, aReading(), 0, cache.news);
    cache.get("0");
    for (let index = 10; index < 19; index++) cache.keep(`${index}`, aReading(), 0, cache.news);
    expect([cache.size, cache.bytes]).toEqual([10, 10 * bytesOf(aReading())]);
    expect([cache.get("0") !== undefined, cache.get("1")]).toEqual([true, undefined]);
  });

  it("passes over what is larger than all of it, and lets go of what was there", () => {
    const { cache } = aCache({ bytesMax: 3_000 });
    cache.keep("a", aReading(), 0, cache.news);
    cache.keep("a", aReading([aKnownSecret({ facts: { displayName: "x".repeat(1000) } })]), 0, cache.news);
    expect([cache.get("a"), cache.size, cache.bytes]).toEqual([undefined, 0, 0]);
  });

  it("forgets everything where nothing can be believed any more", () => {
    const { cache } = aCache();
    cache.keep("a", aReading(), 0, cache.news);
    cache.keep("b", unknown, 0, cache.news);
    cache.clear();
    expect([cache.get("a"), cache.isUnknown("b"), cache.size, cache.bytes]).toEqual([undefined, false, 0, 0]);
  });

  it("samples what it holds, and has nothing to sample when it is empty", () => {
    const { cache, chance } = aCache();
    expect(cache.sample()).toBeUndefined();
    for (const digest of ["a", "b", "c"]) cache.keep(digest, aReading(), 0, cache.news);
    const sampled = [0, 0.4, 0.99].map((value) => {
      chance.next = value;
      return cache.sample();
    });
    expect(sampled).toEqual(["c", "b", "a"]);
  });
});

describe("a reading is fresh", () => {
  it.each([
    [0, 0.8],
    [0.5, 1],
    [1, 1.2],
  ])("for about five minutes: drawn %d, %d times", (drawn, times) => {
    const { cache, chance, passMs } = aCache();
    passMs(1_000);
    chance.next = drawn;
    cache.keep("a", aReading(), 0, cache.news);
    expect(cache.get("a")?.freshUntilMs).toBeCloseTo(1_000 + times * FRESH_MS);
  });

  it.each([
    ["its expiry", { expireTime: now + 10_000 }, 10_000],
    ["the end of its overlap", { secretStopTime: now + 5_000, expireTime: now + 10_000 }, 5_000],
    ["no turn that is over already", { expireTime: now, secretStopTime: now - 1 }, FRESH_MS],
    ["nothing that comes later than five minutes anyway", { expireTime: now + 10 * FRESH_MS }, FRESH_MS],
  ])("until %s", (_, record, freshMs) => {
    const { cache } = aCache();
    cache.keep("a", aReading([aKnownSecret({ record })]), 0, cache.news);
    expect(cache.get("a")?.freshUntilMs).toBeCloseTo(freshMs);
  });

  it("until the first turn of all tenants that have imported it", () => {
    const { cache } = aCache();
    const known = [
      aKnownSecret({ record: { expireTime: now + 9_000 } }),
      aKnownSecret({ record: { expireTime: now + 4_000 } }),
    ];
    cache.keep("a", aReading(known), 0, cache.news);
    expect(cache.get("a")?.freshUntilMs).toBe(4_000);
  });

  it("for all tenants for one second alone: another may import the same secret", () => {
    const { cache } = aCache();
    cache.keep("a", aReading(), 0, cache.news);
    expect(cache.get("a")?.completeUntilMs).toBe(1_000);
  });
});

describe("a secret that nobody knows", () => {
  it("is remembered for a second, until somebody may have made one known", () => {
    const { cache, passMs } = aCache();
    cache.keep("a", unknown, 0, cache.news);
    passMs(999);
    expect([cache.isUnknown("a"), cache.isUnknown("b"), cache.get("a")]).toEqual([true, false, undefined]);
    passMs(1);
    expect(cache.isUnknown("a")).toBe(false);
    cache.keep("a", unknown, 0, cache.news);
    cache.forgetUnknown();
    expect(cache.isUnknown("a")).toBe(false);
  });

  it("is not remembered where one may have been made known while it was looked for", () => {
    const { cache } = aCache();
    const { news } = cache;
    cache.forgetUnknown();
    cache.keep("a", aReading(), 0, news);
    cache.keep("a", unknown, 0, news);
    expect([cache.get("a"), cache.isUnknown("a")]).toEqual([undefined, false]);
  });

  it("takes the place of what was known, and the other way round", () => {
    const { cache } = aCache();
    cache.keep("a", aReading(), 0, cache.news);
    cache.keep("a", unknown, 0, cache.news);
    expect([cache.get("a"), cache.isUnknown("a")]).toEqual([undefined, true]);
    cache.keep("a", aReading(), 0, cache.news);
    expect([cache.get("a") !== undefined, cache.isUnknown("a")]).toEqual([true, false]);
  });

  it("pushes out no secret that is known, however many there are, and there is an end to them too", () => {
    const { cache } = aCache({ bytesMax: 3_000 });
    cache.keep("known", aReading(), 0, cache.news);
    for (let index = 0; index < 60_000; index++) cache.keep(`forged ${index}`, unknown, 0, cache.news);
    expect([cache.get("known") !== undefined, cache.size]).toEqual([true, 1]);
    expect([cache.isUnknown("forged 0"), cache.isUnknown("forged 59999")]).toEqual([false, true]);
  });
});

function aCache({ bytesMax = 1_000_000 } = {}) {
  let nowMs = 0;
  const chance = { next: 0.5 };
  const cache = createSecretCache({ bytesMax, clock: () => now, monotonicMs: () => nowMs, random: () => chance.next });
  return {
    cache,
    chance,
    passMs: (ms: number) => {
      nowMs += ms;
    },
  };
}
