import { describe, expect, it } from "vitest";
import { type ClockReading, elapsedAtMostMs } from "./clocks.ts";
import { degradedLeftMs, leaseLeftMs, trustFrom } from "./lease.ts";
import { type Membership, renew, rowLeftMs } from "./membership.ts";

const member: Membership = { id: "a", timeline: "1", joined: at(100), renewed: at(90) };

describe("elapsedAtMostMs", () => {
  it.each([
    ["the faster clock", at(1000), { monotonicMs: 1500, wallMs: 1520 }, 520],
    ["the monotonic one, if the wall clock was set back a little", at(1000), { monotonicMs: 1500, wallMs: 1460 }, 500],
    ["no end, once the machine slept", at(1000), { monotonicMs: 1100, wallMs: 4000 }, Number.POSITIVE_INFINITY],
    ["no end, once the wall clock was set back", at(1000), { monotonicMs: 1100, wallMs: 0 }, Number.POSITIVE_INFINITY],
  ])("goes by %s", (_, from, to, elapsed) => {
    expect(elapsedAtMostMs(from, to)).toBe(elapsed);
  });
});

describe("a poll", () => {
  it.each([
    ["a member's", { timeline: "1", began: at(100) }, member, true],
    ["one that began before the row's commit was answered", { timeline: "1", began: at(99) }, member, false],
    ["one without a row", { timeline: "1", began: at(100) }, undefined, false],
    ["one on another timeline than the row", { timeline: "2", began: at(100) }, member, false],
    ["one that began after the row's end", { timeline: "1", began: at(15_090) }, member, false],
  ])("gives trust or not: %s", (_, poll, membership, gives) => {
    expect(trustFrom(poll, membership) !== undefined).toBe(gives);
  });
});

describe("leaseLeftMs", () => {
  const trust = { timeline: "1", pollBegan: at(14_500) };

  it("counts a second from the poll's start", () => {
    const early = { timeline: "1", pollBegan: at(200) };
    expect(leaseLeftMs(early, member, at(200))).toBe(1000);
    expect(leaseLeftMs(early, member, at(1199))).toBe(1);
    expect(leaseLeftMs(early, member, at(1200))).toBe(0);
  });

  it("ends with the row", () => {
    expect(leaseLeftMs(trust, member, at(15_000))).toBe(90);
    expect(leaseLeftMs(trust, member, at(15_090))).toBe(0);
  });

  it("is nothing after a new join, until a poll that begins then", () => {
    expect(leaseLeftMs(trust, { ...member, joined: at(14_600), renewed: at(14_590) }, at(14_700))).toBe(0);
  });

  it("is nothing once the clocks have parted, since the poll or since the renewal", () => {
    expect(leaseLeftMs(trust, member, { monotonicMs: 14_600, wallMs: 14_700 })).toBe(0);
    const slept = { timeline: "1", pollBegan: { monotonicMs: 14_500, wallMs: 44_500 } };
    expect(leaseLeftMs(slept, member, { monotonicMs: 14_600, wallMs: 44_600 })).toBe(0);
  });
});

describe("degradedLeftMs", () => {
  it("goes on for a minute from the poll's start, whatever has become of the row", () => {
    const trust = { timeline: "1", pollBegan: at(1000) };
    expect(degradedLeftMs(trust, at(60_999))).toBe(1);
    expect(degradedLeftMs(trust, at(61_000))).toBe(0);
    expect(degradedLeftMs(trust, { monotonicMs: 1001, wallMs: 2001 })).toBe(0);
    expect(degradedLeftMs(undefined, at(0))).toBe(0);
  });
});

describe("renew", () => {
  it("prolongs the row from when the renewal was sent", () => {
    const renewed = renew(member, { timeline: "1", sent: at(5000), answered: at(5100) });
    expect(renewed).toEqual({ ...member, renewed: at(5000) });
    expect(rowLeftMs(renewed, at(5100))).toBe(14_900);
  });

  it.each([
    ["answered after the row's end", { timeline: "1", sent: at(5000), answered: at(15_090) }],
    ["of another timeline", { timeline: "2", sent: at(5000), answered: at(5100) }],
    [
      "answered after the machine slept",
      { timeline: "1", sent: at(5000), answered: { monotonicMs: 5100, wallMs: 9100 } },
    ],
  ])("is a new join when it is %s", (_, renewal) => {
    expect(renew(member, renewal).joined).toEqual(renewal.answered);
  });
});

function at(ms: number): ClockReading {
  return { monotonicMs: ms, wallMs: ms };
}
