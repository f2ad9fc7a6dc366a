import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createRecordSource, type KnownSecret } from "./record-source.ts";

/** A store whose reads the test answers. */
function scriptedStore() {
  const reads: {
    digests: readonly string[];
    answer: PromiseWithResolvers<ReadonlyMap<string, readonly KnownSecret[]>>;
  }[] = [];
  return {
    reads,
    findAll(digests: readonly string[]) {
      const answer = Promise.withResolvers<ReadonlyMap<string, readonly KnownSecret[]>>();
      reads.push({ digests, answer });
      return answer.promise;
    },
  };
}

const known = [] as readonly KnownSecret[];

describe("a record source", () => {
  it("asks once for all that is wanted in one turn, each digest once", async () => {
    const store = scriptedStore();
    const source = createRecordSource(store);
    const finds = ["a", "b", "a"].map((digest) => source.find(digest));
    await turn();
    expect(store.reads.map(({ digests }) => digests)).toEqual([["a", "b"]]);
    store.reads[0]?.answer.resolve(new Map([["a", known]]));
    expect(await Promise.all(finds)).toEqual([known, [], known]);
  });

  it("never joins a read that was sent before: it may have missed what was committed since", async () => {
    const store = scriptedStore();
    const source = createRecordSource(store);
    void source.find("a");
    await turn();
    void source.find("a");
    await turn();
    expect(store.reads.map(({ digests }) => digests)).toEqual([["a"], ["a"]]);
  });

  it("has four reads under way at most, and takes all that came meanwhile with the next", async () => {
    const store = scriptedStore();
    const source = createRecordSource(store);
    for (const digest of ["a", "b", "c", "d", "e", "f"]) {
      void source.find(digest);
      await turn();
    }
    expect(store.reads.map(({ digests }) => digests)).toEqual([["a"], ["b"], ["c"], ["d"]]);
    store.reads[2]?.answer.resolve(new Map());
    await turn();
    await turn();
    expect(store.reads.map(({ digests }) => digests).slice(4)).toEqual([["e", "f"]]);
  });

  it("asks for 500 at most at a time", async () => {
    const store = scriptedStore();
    const source = createRecordSource(store);
    for (let index = 0; index < 501; index++) void source.find(String(index));
    await turn();
    await turn();
    expect(store.reads.map(({ digests }) => digests.length)).toEqual([500, 1]);
  });

  it("tells each of those who wait that a read failed, and goes on", async () => {
    const store = scriptedStore();
    const source = createRecordSource(store);
    const finds = Promise.allSettled([source.find("a"), source.find("b")]);
    await turn();
    store.reads[0]?.answer.reject(new Error("away"));
    expect((await finds).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const later = source.find("a");
    await turn();
    store.reads[1]?.answer.resolve(new Map([["a", known]]));
    expect(await later).toBe(known);
  });
});
