import { describe, expect, it } from "vitest";
import { parseWorkerCount, resolveWorkerCount, WORKERS_MAX } from "./worker-count.ts";

describe("the number of workers", () => {
  it.each([
    ["1", 1],
    ["64", 64],
    ["auto", "auto"],
  ])("may be %s", (text, count) => {
    expect(parseWorkerCount(text)).toBe(count);
  });

  it.each(["", "0", "65", "-1", "1.5", "1e1", " 2", "AUTO", "two", "9".repeat(400)])("is never %j", (text) => {
    expect(parseWorkerCount(text)).toBeUndefined();
  });

  it("is by itself what the machine can run at once, up to the most there may be", () => {
    expect(resolveWorkerCount("auto", 3)).toBe(3);
    expect(resolveWorkerCount("auto", 1000)).toBe(WORKERS_MAX);
    expect(resolveWorkerCount(2, 8)).toBe(2);
  });
});
