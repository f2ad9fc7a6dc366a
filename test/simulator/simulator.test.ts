import { describe, expect, it } from "vitest";
import { effectBoundMs } from "../../src/coherence/early-return.ts";
import { health } from "./courses.ts";
import { type Course, walk } from "./walk.ts";

/** The slowest clock of the model is this much slower than true time. */
const SLOWEST_CLOCK = 0.976;

describe("the protocol of the caches", () => {
  it("admits nothing that was revoked, and takes effect within the bound, whatever breaks", () => {
    const outcomes = Array.from({ length: 80 }, (_, index) => walk(1 + index));

    expect(outcomes.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed)).toEqual([]);
    // Some did have to wait until the end.
    const slowestMs = (of: "slowestStrictMs" | "slowestAvailableMs") =>
      Math.max(...outcomes.map(({ tally }) => tally[of]));
    expect(slowestMs("slowestStrictMs")).toBeGreaterThan(1000);
    expect(slowestMs("slowestStrictMs")).toBeLessThanOrEqual(1100);
    expect(slowestMs("slowestAvailableMs")).toBeLessThanOrEqual(effectBoundMs("available") / SLOWEST_CLOCK + 1);
    // And there was something to see.
    const sum = (of: "changes" | "early" | "degraded" | "fromSdkCache" | "anew") =>
      outcomes.map(({ tally }) => tally[of]).reduce((a, b) => a + b, 0);
    expect(sum("changes")).toBeGreaterThan(1000);
    expect(sum("early")).toBeGreaterThan(300);
    expect(sum("degraded")).toBeGreaterThan(100);
    expect(sum("fromSdkCache")).toBeGreaterThan(1000);
    expect(sum("anew")).toBeGreaterThan(50);
  }, 120_000);

  it("takes effect at once in health, and answers from caches", () => {
    const course: Course = {
      ...health,
      durationMs: 20_000,
      replicas: 3,
      sdks: 2,
      hintLoss: 0,
      editEveryMs: 400,
      edits: ["key", "others"],
      modes: ["strict", "available"],
      drift: 1,
    };
    const { violations, tally } = walk(1, { course });

    expect(violations).toEqual([]);
    expect(tally.changes).toBeGreaterThan(30);
    expect(tally.early).toBeGreaterThan(20);
    expect(tally.atBound).toBe(0);
    // With `max_wait` 0 the answer comes before anyone can have applied it.
    expect(tally.ahead).toBeLessThan(tally.early);
    expect(tally.slowestAvailableMs).toBeGreaterThan(0);
    expect(tally.unavailable).toBe(0);
    expect(tally.degraded).toBe(0);
    expect((tally.fromCache + tally.fromSdkCache) / tally.verifies).toBeGreaterThan(0.7);
  });

  it.each([
    ["available", "goes on from the cache, flagged", { degraded: true, unavailable: false }],
    ["strict", "refuses rather", { degraded: false, unavailable: true }],
  ] as const)("while Postgres is away, a keyspace that is %s %s", (mode, _, expected) => {
    const course: Course = {
      ...health,
      durationMs: 55_000,
      replicas: 3,
      editEveryMs: Number.POSITIVE_INFINITY,
      verifyEveryMs: 20,
      modes: [mode],
      script({ world, at }) {
        at(5000, () => world.postgres.crash());
        at(50_000, () => {
          world.postgres.up = true;
        });
      },
    };
    const { tally } = walk(1, { course });

    expect({ degraded: tally.degraded > 0, unavailable: tally.unavailable > 0 }).toEqual(expected);
    expect(tally.fromCache).toBeGreaterThan(200);
  });
});
