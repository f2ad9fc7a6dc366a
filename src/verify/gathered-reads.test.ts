import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { gatherReads } from "./gathered-reads.ts";

/** Reads that the test answers. */
function scriptedReads(options: { waitingMax?: number; readsMax?: number; restMs?: number } = {}) {
  const sent: { keys: readonly string[]; answer: PromiseWithResolvers<(key: string) => string> }[] = [];
  const reads = gatherReads<string>({
    readMany(keys) {
      const answer = Promise.withResolvers<(key: string) => string>();
      sent.push({ keys, answer });
      return answer.promise;
    },
    readsMax: 4,
    batchMax: 500,
    overflow: () => new Error("too many"),
    ...options,
  });
  return { reads, sent, keys: () => sent.map((one) => one.keys) };
}

const value = (key: string) => `value of ${key}`;

describe("gathered reads", () => {
  it("ask once for all that is wanted in one turn, each key once", async () => {
    const { reads, sent, keys } = scriptedReads();
    const finds = ["a", "b", "a"].map((key) => reads.read(key));
    await turn();
    expect(keys()).toEqual([["a", "b"]]);
    expect(reads.busy).toBe(true);
    sent[0]?.answer.resolve(value);
    expect(await Promise.all(finds)).toEqual(["a", "b", "a"].map(value));
  });

  it("never join a read that was sent before: it may have missed what was committed since", async () => {
    const { reads, keys } = scriptedReads();
    void reads.read("a");
    await turn();
    void reads.read("a");
    await turn();
    expect(keys()).toEqual([["a"], ["a"]]);
  });

  it("have four under way at most, and take all that came meanwhile with the next", async () => {
    const { reads, sent, keys } = scriptedReads();
    for (const key of ["a", "b", "c", "d", "e", "f"]) {
      void reads.read(key);
      await turn();
    }
    expect(keys()).toEqual([["a"], ["b"], ["c"], ["d"]]);
    sent[2]?.answer.resolve(value);
    await turn();
    await turn();
    expect(keys().slice(4)).toEqual([["e", "f"]]);
  });

  it("ask for 500 at most at a time", async () => {
    const { reads, sent } = scriptedReads();
    for (let index = 0; index < 501; index++) void reads.read(String(index));
    await turn();
    await turn();
    expect(sent.map((one) => one.keys.length)).toEqual([500, 1]);
  });

  it("turn away who comes when too many wait", async () => {
    const { reads } = scriptedReads({ waitingMax: 2 });
    void reads.read("a");
    void reads.read("b");
    await expect(reads.read("c")).rejects.toThrow("too many");
    void reads.read("a");
  });

  it("rest after each read where they are told to", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const { reads, sent, keys } = scriptedReads({ readsMax: 1, restMs: 100 });
    void reads.read("a");
    await turn();
    void reads.read("b");
    sent[0]?.answer.resolve(value);
    await turn();
    vi.advanceTimersByTime(99);
    await turn();
    expect(keys()).toEqual([["a"]]);
    vi.advanceTimersByTime(1);
    await turn();
    expect(keys()).toEqual([["a"], ["b"]]);
    vi.useRealTimers();
  });

  it("tell each of those who wait that a read failed, and go on", async () => {
    const { reads, sent } = scriptedReads();
    const finds = Promise.allSettled([reads.read("a"), reads.read("b")]);
    await turn();
    sent[0]?.answer.reject(new Error("away"));
    expect((await finds).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const later = reads.read("a");
    await turn();
    sent[1]?.answer.resolve(value);
    expect(await later).toBe("value of a");
  });
});
