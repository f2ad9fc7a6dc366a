import { describe, expect, it } from "vitest";
import { counts, effectBoundMs, hasTakenEffect, type Member, type Roster } from "./early-return.ts";
import { hasSettled, mayDegrade, type RevocationMode, weakestMode } from "./mode.ts";
import type { Position } from "./position.ts";
import { createRowWatch } from "./row-watch.ts";
import { parseSnapshot } from "./snapshot.ts";

const change = { timeline: "1", xid: 25n };

describe("hasTakenEffect", () => {
  it.each<[string, Roster, RevocationMode, boolean]>([
    ["all members have applied it", aRoster({}), "strict", true],
    [
      "one has published nothing",
      aRoster({ members: [aMember({}), aMember({ published: undefined })] }),
      "strict",
      false,
    ],
    ["one was still without it", aRoster({ members: [aMember({ published: at("25:30:25") })] }), "strict", false],
    ["one is on another timeline", aRoster({ members: [aMember({ published: at("30:30:", "2") })] }), "strict", false],
    ["the members were read on another timeline", aRoster({ timeline: "2" }), "strict", false],
    ["the timeline is young", aRoster({ settled: { strict: false, available: false } }), "strict", false],
    [
      "the timeline is young for available ones alone",
      aRoster({ settled: { strict: true, available: false } }),
      "strict",
      true,
    ],
    [
      "the timeline is young for available ones",
      aRoster({ settled: { strict: true, available: false } }),
      "available",
      false,
    ],
    ["one without it has lapsed", aRoster({ members: [lapsed(15_750)] }), "strict", true],
    ["one without it has nearly lapsed", aRoster({ members: [lapsed(15_749)] }), "strict", false],
    ["one without it may still answer degraded", aRoster({ members: [lapsed(78_749)] }), "available", false],
    ["one without it has lapsed long ago", aRoster({ members: [lapsed(78_750)] }), "available", true],
  ])("when %s", (_, roster, mode, taken) => {
    expect(hasTakenEffect(change, mode, roster)).toBe(taken);
  });
});

describe("effectBoundMs", () => {
  it("is each mode's span and 5 %", () => {
    expect(effectBoundMs("strict")).toBe(1050);
    expect(effectBoundMs("available")).toBe(63_000);
  });
});

describe("weakestMode", () => {
  it.each([
    [[["strict", true]], "strict"],
    [[["strict", false]], "available"],
    [
      [
        ["strict", true],
        ["available", true],
      ],
      "available",
    ],
    [[], "available"],
  ] as [[RevocationMode, boolean][], RevocationMode][])("of %j is %s", (keyspaces, mode) => {
    expect(weakestMode(keyspaces.map(([of, settled]) => ({ mode: of, settled })))).toBe(mode);
  });
});

describe("mayDegrade", () => {
  it("is for keyspaces that have been available for a while", () => {
    expect(mayDegrade({ mode: "available", settled: true })).toBe(true);
    expect(mayDegrade({ mode: "available", settled: false })).toBe(false);
    expect(mayDegrade({ mode: "strict", settled: true })).toBe(false);
  });
});

describe("hasSettled", () => {
  it("waits as long as anyone may have trusted what was before", () => {
    expect([hasSettled(1049, "strict"), hasSettled(1050, "strict")]).toEqual([false, true]);
    expect([hasSettled(62_999, "available"), hasSettled(63_000, "available")]).toEqual([false, true]);
  });
});

describe("a row watch", () => {
  it("counts from when a renewal was first seen for certain to when the row was last asked for", () => {
    const watch = createRowWatch();
    const see = (renewal: number, sentMs: number, answeredMs: number) =>
      watch.observe([{ id: "a", renewal }], { sentMs, answeredMs }).get("a");
    expect(see(1, 0, 100)).toBe(0);
    expect(see(1, 5000, 5100)).toBe(4900);
    expect(see(2, 6000, 6100)).toBe(0);
    expect(see(2, 30_000, 40_000)).toBe(23_900);
    expect(counts({ unrenewedForMs: 23_900 }, "strict")).toBe(false);
  });

  it("forgets rows that are gone", () => {
    const watch = createRowWatch();
    watch.observe([{ id: "a", renewal: 1 }], { sentMs: 0, answeredMs: 0 });
    watch.observe([], { sentMs: 100, answeredMs: 100 });
    expect(watch.observe([{ id: "a", renewal: 1 }], { sentMs: 200, answeredMs: 200 }).get("a")).toBe(0);
  });
});

function aRoster(parts: Partial<Roster>): Roster {
  return { timeline: "1", settled: { strict: true, available: true }, members: [aMember({}), aMember({})], ...parts };
}

function aMember(parts: Partial<Member>): Member {
  return { id: "a", unrenewedForMs: 0, published: at("30:30:"), ...parts };
}

function lapsed(unrenewedForMs: number): Member {
  return aMember({ unrenewedForMs, published: at("20:20:") });
}

function at(snapshot: string, timeline = "1"): Position {
  return { timeline, snapshot: parseSnapshot(snapshot) };
}
