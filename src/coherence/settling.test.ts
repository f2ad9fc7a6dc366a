import { describe, expect, it } from "vitest";
import type { Poll } from "./coherence-store.ts";
import { createSettling } from "./settling.ts";
import { parseSnapshot } from "./snapshot.ts";

const settled = { strict: true, available: true };
const young = { strict: false, available: false };
const keyspace = { keyspaceId: "ks_1", modeVersion: 2 };

describe("a timeline settles", () => {
  it("for strict keyspaces after a lease, for available ones after degraded answers have ended", () => {
    const { settling, noted } = aSettling();
    for (const nowMs of [100, 1_149, 1_150, 1_200]) settling.observe(aPoll({ settled: young }), nowMs);
    expect(noted).toEqual(Array(2).fill(["1", { strict: true, available: false }]));
    noted.length = 0;
    // As soon as it is noted, the next poll finds it.
    for (const nowMs of [1_300, 63_099]) settling.observe(aPoll({ settled: { ...young, strict: true } }), nowMs);
    expect(noted).toEqual([]);
    settling.observe(aPoll({ settled: { ...young, strict: true } }), 63_100);
    expect(noted).toEqual([["1", { strict: true, available: true }]]);
  });

  it("not by what was known of another", () => {
    const { settling, noted } = aSettling();
    settling.observe(aPoll({ settled: young, timeline: "1" }), 0);
    settling.observe(aPoll({ settled: young, timeline: "2" }), 63_000);
    settling.observe(aPoll({ settled: young, timeline: "2" }), 64_000);
    expect(noted).toEqual([]);
  });

  it("never by the word of a standby, nor before it has begun", () => {
    const { settling, noted } = aSettling();
    for (const answer of [{ inRecovery: true }, undefined]) {
      for (const nowMs of [0, 100_000]) settling.observe(aPoll({ settled: young, answer }), nowMs);
    }
    expect(noted).toEqual([]);
  });
});

describe("a keyspace's mode settles", () => {
  it("once nobody can take it for the other mode any more", () => {
    const { settling, noted } = aSettling();
    for (const nowMs of [100, 63_099, 63_100]) settling.observe(aPoll({ unsettled: [keyspace] }), nowMs);
    expect(noted).toEqual([keyspace]);
  });

  it.each<[string, Partial<PollParts>, Partial<PollParts>?]>([
    ["another mode came meanwhile", { unsettled: [{ ...keyspace, modeVersion: 3 }] }],
    ["it had settled meanwhile, and changed again", { unsettled: [] }, { unsettled: [keyspace] }],
    ["it is another's", { unsettled: [{ ...keyspace, keyspaceId: "ks_2" }] }],
    ["the history is another", { unsettled: [keyspace], timeline: "2" }],
  ])("not where %s", (_, meanwhile, last = meanwhile) => {
    const { settling, noted } = aSettling();
    settling.observe(aPoll({ unsettled: [keyspace] }), 0);
    settling.observe(aPoll(meanwhile), 62_000);
    settling.observe(aPoll(last), 63_000);
    expect(noted).toEqual([]);
  });
});

it("tries again at the next poll what could not be noted", async () => {
  const { settling, noted } = aSettling(() => Promise.reject(new Error("gone")));
  for (const nowMs of [0, 63_000, 63_200]) settling.observe(aPoll({ settled: young, unsettled: [keyspace] }), nowMs);
  await Promise.resolve();
  expect(noted).toHaveLength(4);
});

interface PollParts {
  readonly timeline: string;
  readonly settled: Poll["settled"];
  readonly unsettled: Poll["unsettled"];
  readonly answer: { readonly inRecovery: boolean } | undefined;
}

function aPoll(parts: Partial<PollParts>): Poll {
  const { timeline = "1", unsettled = [] } = parts;
  const answer = { inRecovery: false, timeline, snapshot: parseSnapshot("10:10:"), trimmed: undefined, changes: [] };
  const isThere = !("answer" in parts) || parts.answer !== undefined;
  return {
    answer: isThere ? { ...answer, ...parts.answer } : undefined,
    news: false,
    settled: parts.settled ?? settled,
    members: [],
    unsettled,
    clock: 0,
  };
}

function aSettling(answer: () => Promise<void> = async () => {}) {
  const noted: unknown[] = [];
  const settling = createSettling({
    settleTimeline(timeline, modes) {
      noted.push([timeline, modes]);
      return answer();
    },
    settleKeyspace(one) {
      noted.push(one);
      return answer();
    },
  });
  return { settling, noted };
}
