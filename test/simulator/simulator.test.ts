import { describe, expect, it } from "vitest";
import { walk } from "./walk.ts";

describe("the protocol of the caches", () => {
  it("admits nothing that was revoked, whatever breaks", () => {
    const outcomes = Array.from({ length: 100 }, (_, index) => walk(1 + index));

    expect(outcomes.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed)).toEqual([]);
    const sum = (count: (outcome: (typeof outcomes)[number]) => number) =>
      outcomes.map(count).reduce((a, b) => a + b, 0);
    expect(sum(({ tally }) => tally.changes)).toBeGreaterThan(1000);
    expect(sum(({ tally }) => tally.early)).toBeGreaterThan(300);
    expect(sum(({ tally }) => tally.degraded)).toBeGreaterThan(100);
    expect(sum(({ tally }) => tally.fromSdkCache)).toBeGreaterThan(1000);
  }, 120_000);
});
