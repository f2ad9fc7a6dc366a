import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { type Effect, noEffects } from "../changes/effect.ts";
import { createBurial } from "./burial.ts";

const effectOf = (xid: bigint): Effect => ({ change: { timeline: "1", xid }, mode: "strict" });

it("buries the secrets of keys that this process has changed, once the feed tells of them", async () => {
  const { burial, asked, buried } = aBurial();
  await burial.effects.apply(effectOf(7n));
  burial.observe("1", [
    { id: "key_1", version: 3, xid: 7n },
    { id: "ks_1", version: 2, xid: 7n },
    { id: "key_2", version: 9, xid: 8n },
  ]);
  await turn();
  expect(asked).toEqual([["key_1"]]);
  expect(buried).toEqual([
    ["1", "one of key_1", 3],
    ["1", "other of key_1", 3],
  ]);
  burial.observe("1", [{ id: "key_1", version: 3, xid: 7n }]);
  expect(asked).toHaveLength(1);
});

it("forgets what the feed never tells of, rather than grow", async () => {
  const { burial, asked } = aBurial();
  for (let xid = 1n; xid <= 1001n; xid++) await burial.effects.apply(effectOf(xid));
  burial.observe("1", [{ id: "key_1", version: 2, xid: 1n }]);
  burial.observe("1", [{ id: "key_1", version: 3, xid: 1001n }]);
  expect(asked).toEqual([["key_1"]]);
});

function aBurial() {
  const asked: (readonly string[])[] = [];
  const buried: unknown[][] = [];
  const burial = createBurial({
    effects: noEffects,
    store: {
      async digestsOf(keyIds) {
        asked.push(keyIds);
        return keyIds.flatMap((keyId) => ["one", "other"].map((word) => ({ keyId, digest: `${word} of ${keyId}` })));
      },
    },
    shared: { bury: (...args) => void buried.push(args) },
  });
  return { burial, asked, buried };
}
