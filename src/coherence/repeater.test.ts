import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRepeater } from "./repeater.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("a repeater", () => {
  it("begins at once, and goes on from start to start", async () => {
    const { starts, pass } = aRepeater({ workMs: 30 });
    await pass(250);
    expect(starts).toEqual([0, 100, 200]);
  });

  it("never runs twice at a time: what takes too long is followed at once", async () => {
    const { starts, pass } = aRepeater({ workMs: 130 });
    await pass(300);
    // A timer takes a millisecond at least.
    expect(starts).toEqual([0, 131, 262]);
  });

  it("asks anew after each run how long to wait", async () => {
    const intervals = [10, 50];
    const { starts, pass } = aRepeater({ intervalMs: () => intervals.shift() ?? 1_000 });
    await pass(500);
    expect(starts).toEqual([0, 10, 60]);
  });

  it("runs when it is wanted, and then as often as ever", async () => {
    const { repeater, starts, pass } = aRepeater();
    await pass(40);
    repeater.now();
    await pass(1);
    expect(starts).toEqual([0, 40]);
    await pass(100);
    expect(starts).toEqual([0, 40, 140]);
  });

  it("runs once more where it was wanted during a run: that one may have seen less", async () => {
    const { repeater, starts, pass } = aRepeater({ workMs: 30 });
    await pass(10);
    for (let time = 0; time < 5; time++) repeater.now();
    await pass(89);
    expect(starts).toEqual([0, 31]);
  });

  it("leaves a moment between two starts, however often it is wanted", async () => {
    const { repeater, starts, pass } = aRepeater();
    for (let ms = 0; ms < 10; ms++) {
      repeater.now();
      await pass(1);
    }
    expect(starts).toEqual([0, 2, 4, 6, 8, 10]);
  });

  it("ends when the run of the moment is over, and starts no more", async () => {
    const { repeater, starts, pass, ended } = aRepeater({ workMs: 30 });
    await pass(10);
    const stopped = repeater.stop().then(() => expect(ended).toEqual([30]));
    repeater.now();
    await pass(500);
    await stopped;
    expect([starts, vi.getTimerCount()]).toEqual([[0], 0]);
  });
});

function aRepeater({ workMs = 0, intervalMs = () => 100 }: { workMs?: number; intervalMs?: () => number } = {}) {
  const beganMs = performance.now();
  const starts: number[] = [];
  const ended: number[] = [];
  const repeater = createRepeater(async () => {
    starts.push(performance.now() - beganMs);
    if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs));
    ended.push(performance.now() - beganMs);
  }, intervalMs);
  return { repeater, starts, ended, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}
