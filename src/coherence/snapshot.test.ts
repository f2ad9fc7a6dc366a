import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatSnapshot, parseSnapshot, type Snapshot, seesAll, visible } from "./snapshot.ts";

describe("parseSnapshot", () => {
  it("reads what Postgres writes", () => {
    expect(parseSnapshot("10:20:10,14,15")).toEqual({ xmin: 10n, xmax: 20n, xip: [10n, 14n, 15n] });
    expect(parseSnapshot("7:7:")).toEqual({ xmin: 7n, xmax: 7n, xip: [] });
  });

  it("keeps ids that no number can hold", () => {
    expect(parseSnapshot("18446744073709551614:18446744073709551615:").xmax).toBe(18446744073709551615n);
  });

  it.each(["", "1:2", "1:2:3,", "a:2:", "1:2: 3", "-1:2:"])("refuses %j", (text) => {
    expect(() => parseSnapshot(text)).toThrow(TypeError);
  });

  it("is undone by formatSnapshot", () => {
    fc.assert(
      fc.property(snapshots(), (one) => {
        expect(parseSnapshot(formatSnapshot(one))).toEqual(one);
      }),
    );
  });
});

describe("visible", () => {
  it.each([
    [9n, true],
    [10n, false],
    [11n, true],
    [14n, false],
    [19n, true],
    [20n, false],
  ])("says of transaction %i: %s", (xid, seen) => {
    expect(visible(parseSnapshot("10:20:10,14"), xid)).toBe(seen);
  });
});

describe("seesAll", () => {
  it("is what looking at each transaction finds", () => {
    let both = 0;
    fc.assert(
      fc.property(snapshots(), snapshots(), (one, other) => {
        const every = Array.from({ length: 30 }, (_, xid) => BigInt(xid));
        const expected = every.every((xid) => !visible(other, xid) || visible(one, xid));
        expect(seesAll(one, other)).toBe(expected);
        if (expected) both++;
      }),
      { numRuns: 2000 },
    );
    expect(both).toBeGreaterThan(100);
  });

  it("knows that xmax alone is not enough", () => {
    expect(seesAll(parseSnapshot("15:20:15"), parseSnapshot("20:20:"))).toBe(false);
    expect(seesAll(parseSnapshot("20:20:"), parseSnapshot("15:20:15"))).toBe(true);
  });
});

function snapshots(): fc.Arbitrary<Snapshot> {
  return fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 255 }))
    .map(([first, width, inProgress]) => {
      const xip = Array.from({ length: width }, (_, at) => at).filter((at) => (inProgress >> at) % 2 === 1);
      const ids = xip.map((at) => BigInt(first + at));
      const xmax = BigInt(first + width);
      return { xmin: ids[0] ?? xmax, xmax, xip: ids };
    });
}
