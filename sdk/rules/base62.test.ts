import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeBase62, sampleBase62 } from "./base62.ts";

describe("encodeBase62", () => {
  it.each([
    [0, 1, "0"],
    [9, 1, "9"],
    [10, 1, "A"],
    [35, 1, "Z"],
    [36, 1, "a"],
    [61, 1, "z"],
    [62, 2, "10"],
    [62, 6, "000010"],
    [0xffffffff, 6, "4gfFC3"],
  ])("writes %i in %i digits as %s", (value, width, text) => {
    expect(encodeBase62(value, width)).toBe(text);
  });

  it.each([
    [62, 1],
    [-1, 6],
    [0.5, 6],
    [Number.NaN, 6],
  ])("refuses %d in %i digits", (value, width) => {
    expect(() => encodeBase62(value, width)).toThrow(RangeError);
  });

  it("keeps the order of numbers, so that no two share a text", () => {
    const uint32 = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(uint32, uint32, (a, b) => {
        expect(encodeBase62(a, 6) < encodeBase62(b, 6)).toBe(a < b);
      }),
    );
  });
});

describe("sampleBase62", () => {
  it("maps exactly four of the 256 bytes to each of the 62 digits and the other eight to none", () => {
    const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const counts = new Map<string, number>();
    for (const digit of sampleBase62(248, handOut(everyByte))) counts.set(digit, (counts.get(digit) ?? 0) + 1);
    expect(counts.size).toBe(62);
    expect(new Set(counts.values())).toEqual(new Set([4]));
  });

  it("goes back for bytes in place of rejected ones", () => {
    expect(sampleBase62(3, handOut(Uint8Array.of(255, 0, 248, 10, 61)))).toBe("0Az");
  });

  it("has the length asked for, even if the source gives more", () => {
    expect(sampleBase62(5, () => new Uint8Array(64))).toBe("00000");
  });

  it("gives up on a source that gives nothing usable", () => {
    let calls = 0;
    const broken = (n: number) => {
      calls++;
      return new Uint8Array(n).fill(255);
    };
    expect(() => sampleBase62(43, broken)).toThrow("source of randomness");
    expect(calls).toBe(16);
    expect(() => sampleBase62(43, () => new Uint8Array(0))).toThrow("source of randomness");
  });
});

/** A source that gives `bytes` in order and then nothing. */
function handOut(bytes: Uint8Array): (n: number) => Uint8Array {
  let used = 0;
  return (n) => {
    const given = bytes.subarray(used, used + n);
    used += given.length;
    return given;
  };
}
