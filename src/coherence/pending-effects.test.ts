import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { positionAt } from "../../test/harness/readings.ts";
import { effectBoundMs, hasTakenEffect, type Roster } from "./early-return.ts";
import type { RevocationMode } from "./mode.ts";
import { createPendingEffects, type Manner } from "./pending-effects.ts";

const NOW = 1_000_000;
const change = { timeline: "1", xid: 25n };

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("what takes rights away", () => {
  it("holds now as soon as all members have told that they go by it", async () => {
    const { effects, take, told, asked } = pendingEffects();
    const taken = take("available", 60_000);
    expect([effects.waiting, asked()]).toEqual([true, 1]);
    pass(40);
    effects.judge(aRoster("20:20:"), performance.now());
    effects.judge(aRoster("30:30:"), performance.now());
    expect(await taken).toBe(NOW + 40);
    expect([told, effects.waiting, vi.getTimerCount()]).toEqual([[["early", 40]], false, 0]);
  });

  it("is not judged by members who were asked for before it was committed", async () => {
    const { effects, take } = pendingEffects();
    const asked = performance.now();
    pass(10);
    const taken = take("strict", 60_000);
    effects.judge(aRoster("30:30:"), asked);
    expect(effects.waiting).toBe(true);
    effects.judge(aRoster("30:30:"), performance.now());
    expect(await taken).toBe(NOW + 10);
  });

  it.each<[RevocationMode, number]>([
    ["strict", 1_050],
    ["available", 63_000],
  ])("of a keyspace that is %s, holds at the bound whatever becomes of the others", async (mode, boundMs) => {
    const { take, told } = pendingEffects();
    const taken = take(mode, 120_000);
    pass(boundMs + 1);
    // As timers go, by a millisecond later; never a time that has still to come.
    expect(await taken).toBe(NOW + boundMs + 1);
    expect(told).toEqual([["bound", boundMs + 1]]);
  });

  it.each([
    ["at once where nobody waits", 0, 63_000],
    ["after the longest that somebody waits", 2_000, 61_000],
  ])("is told with the time from when on it holds, %s", async (_, maxWaitMs, leftMs) => {
    const { take, told } = pendingEffects();
    const taken = take("available", maxWaitMs);
    pass(maxWaitMs);
    expect(await taken).toBe(NOW + maxWaitMs + leftMs);
    expect(told).toEqual([["ahead", maxWaitMs]]);
  });

  it("is told so too to who has gone, and leaves nothing behind", async () => {
    const { effects, take } = pendingEffects();
    const abort = new AbortController();
    const taken = take("strict", 120_000, abort.signal);
    pass(50.5);
    abort.abort();
    // To the next full millisecond: a time before it would be a lie.
    expect(await taken).toBe(NOW + 50.5 + 1_000);
    expect([effects.waiting, vi.getTimerCount()]).toEqual([false, 0]);
  });
});

describe("what this replica is to go by itself", () => {
  it("is there once it has applied it", async () => {
    const { effects, asked } = pendingEffects();
    const applied = settledOf(effects.apply({ change, mode: "available" }));
    expect([effects.waiting, asked()]).toEqual([true, 1]);
    effects.follow(positionAt("20:20:"));
    effects.follow(positionAt("30:30:", "2"));
    expect(await applied()).toBe(false);
    effects.follow(positionAt("30:30:"));
    expect(await applied()).toBe(true);
    expect([effects.waiting, vi.getTimerCount()]).toEqual([false, 0]);
  });

  it("is waited for by a second: without the change feed for as long, it reads Postgres", async () => {
    const { effects } = pendingEffects();
    const applied = settledOf(effects.apply({ change, mode: "available" }));
    pass(999);
    expect(await applied()).toBe(false);
    pass(1);
    expect(await applied()).toBe(true);
    expect(effects.waiting).toBe(false);
  });
});

it("lets go of all when it is given up, with times that hold whatever happens", async () => {
  const { effects, take } = pendingEffects();
  const taken = [take("strict", 120_000), take("available", 120_000)];
  const applied = effects.apply({ change, mode: "strict" });
  effects.giveUp();
  expect(await Promise.all(taken)).toEqual([NOW + 1_050, NOW + 63_000]);
  await applied;
  expect([effects.waiting, vi.getTimerCount()]).toEqual([false, 0]);
});

function pendingEffects() {
  const beganMs = performance.now();
  const told: [Manner, number][] = [];
  let asked = 0;
  const effects = createPendingEffects({
    rules: { hasTakenEffect, effectBoundMs },
    monotonicMs: () => performance.now(),
    clock: () => NOW + performance.now() - beganMs,
    onWaiting: () => {
      asked += 1;
    },
    onTaken: (_, manner, waitedMs) => void told.push([manner, waitedMs]),
  });
  return {
    effects,
    /** How each was told, and after how long. */
    told,
    /** How often it has been said that there is something to look for. */
    asked: () => asked,
    take: (mode: RevocationMode, maxWaitMs: number, signal = new AbortController().signal) =>
      effects.take({ change, mode }, maxWaitMs, signal),
  };
}

/** One member, which has published that it has seen all that `snapshot` does. */
function aRoster(snapshot: string): Roster {
  const settled = { strict: true, available: true };
  return { timeline: "1", settled, members: [{ id: "a", unrenewedForMs: 0, published: positionAt(snapshot) }] };
}

function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
}

/** Tells whether it has resolved by now. */
function settledOf(promise: Promise<void>): () => Promise<boolean> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  return async () => {
    await Promise.resolve();
    return isSettled;
  };
}
