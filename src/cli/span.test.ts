import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatSpan, parseSpan } from "./span.ts";

describe("parseSpan", () => {
  it.each([
    ["90d", { days: 90 }],
    ["12h", { hours: 12 }],
    ["1h30m", { hours: 1, minutes: 30 }],
    ["0s", { seconds: 0 }],
    ["1.5h", { hours: 1.5 }],
    ["250ms", { milliseconds: 250 }],
    ["1m500ms", { minutes: 1, milliseconds: 500 }],
  ])("reads %j", (text, span) => {
    expect(parseSpan(text)).toEqual(span);
  });

  it.each(["", "90", "d", "-1d", "1y", "1 d", "1d1d", "1e3s", "90D", "1d "])("refuses %j", (text) => {
    expect(parseSpan(text)).toBeUndefined();
  });
});

describe("formatSpan", () => {
  it("writes what parseSpan reads as the same time", () => {
    const sizes = { days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1000, milliseconds: 1 };
    fc.assert(
      fc.property(fc.nat({ max: 3_155_760_000_000 }), (ms) => {
        const span = Object.entries(parseSpan(formatSpan(ms)) ?? {});
        expect(span.length).toBeGreaterThan(0);
        expect(span.reduce((sum, [unit, count]) => sum + count * sizes[unit as keyof typeof sizes], 0)).toBe(ms);
      }),
    );
  });
});
