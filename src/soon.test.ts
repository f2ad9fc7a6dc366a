import { describe, expect, it } from "vitest";
import { type Soon, soonThen } from "./soon.ts";

const half = (value: number): Soon<number> => {
  if (value % 2 === 1) throw new RangeError("odd");
  return value / 2;
};

describe("soonThen", () => {
  it("goes on at once with what is there, and later with what will be", async () => {
    expect(soonThen(4, half)).toBe(2);
    const later = soonThen(Promise.resolve(4), half);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(2);
  });

  it("is a promise where what comes next is one", async () => {
    expect(await soonThen(4, async (value) => value * 3)).toBe(12);
  });

  it("lets through what went wrong, at the time that it does", async () => {
    expect(() => soonThen(1, half)).toThrow("odd");
    await expect(soonThen(Promise.resolve(1), half)).rejects.toThrow("odd");
    await expect(soonThen(Promise.reject(new Error("gone")), half)).rejects.toThrow("gone");
  });
});
