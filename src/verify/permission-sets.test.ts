import { describe, expect, it } from "vitest";
import { sharePermissions } from "./permission-sets.ts";

describe("sharePermissions", () => {
  it("gives one object for one list, however often it is read", () => {
    const one = sharePermissions(["documents.*", "billing.read"]);
    expect(sharePermissions(["documents.*", "billing.read"])).toBe(one);
    expect(one.list).toEqual(["documents.*", "billing.read"]);
    expect([one.set.has("documents.read"), one.set.has("billing.write")]).toEqual([true, false]);
  });

  it("takes no list for another", () => {
    const lists = [["a"], ["a", "b"], ["b", "a"], ["a.b"], []];
    const shared = lists.map(sharePermissions);
    expect(new Set(shared).size).toBe(lists.length);
    expect(shared.map(({ list }) => list)).toEqual(lists);
  });

  it("is bounded, and nothing rests on what fell out", () => {
    const first = sharePermissions(["rare.one"]);
    for (let index = 0; index < 10_000; index++) sharePermissions([`p.n${index}`]);
    const again = sharePermissions(["rare.one"]);
    expect(again).not.toBe(first);
    expect(again.set.has("rare.one")).toBe(true);
  });
});
