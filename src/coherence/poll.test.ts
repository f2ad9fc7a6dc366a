import { describe, expect, it } from "vitest";
import { isNews, type PollAnswer, readPoll } from "./poll.ts";
import { parseSnapshot } from "./snapshot.ts";

const last = { timeline: "1", snapshot: parseSnapshot("10:20:10,14") };

describe("readPoll", () => {
  it.each([
    ["news", anAnswer({}), { kind: "news", changes: [] }],
    ["nothing, on a standby", anAnswer({ inRecovery: true }), { kind: "failed" }],
    ["a new start, on another timeline", anAnswer({ timeline: "2" }), { kind: "anew", because: "timeline" }],
    [
      "a new start, where unseen rows were trimmed",
      anAnswer({ trimmed: parseSnapshot("21:21:") }),
      { kind: "anew", because: "trimmed" },
    ],
    [
      "a new start, where a late committer was trimmed",
      anAnswer({ trimmed: parseSnapshot("10:20:10") }),
      { kind: "anew", because: "trimmed" },
    ],
    [
      "news, where what was trimmed had been seen",
      anAnswer({ trimmed: parseSnapshot("10:20:10,14,15") }),
      { kind: "news", changes: [] },
    ],
  ])("finds %s", (_, answer, meaning) => {
    expect(readPoll(last, answer)).toEqual(meaning);
  });

  it("takes the first answer for a start, but not a standby's", () => {
    expect(readPoll(undefined, anAnswer({}))).toEqual({ kind: "anew", because: "first" });
    expect(readPoll(undefined, anAnswer({ inRecovery: true }))).toEqual({ kind: "failed" });
  });
});

describe("isNews", () => {
  it("skips no late committer, and reads nothing twice", () => {
    expect([9n, 10n, 13n, 14n, 19n, 20n, 21n].filter((xid) => isNews(last.snapshot, xid))).toEqual([
      10n,
      14n,
      20n,
      21n,
    ]);
  });
});

function anAnswer(parts: Partial<PollAnswer>): PollAnswer {
  return {
    inRecovery: false,
    timeline: "1",
    snapshot: parseSnapshot("30:30:"),
    trimmed: undefined,
    changes: [],
    ...parts,
  };
}
