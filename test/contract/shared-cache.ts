import fc from "fast-check";
import { expect, it } from "vitest";
import type { SharedCache } from "../../src/verify/shared-cache.ts";
import { A_TIMELINE, aDigest, aKnownSecret, aReading, readings } from "../harness/a-reading.ts";

export interface OpenSharedCache {
  readonly cache: SharedCache;
  /** Resolves when nothing of what was kept and buried is under way any more. */
  readonly written: () => Promise<void>;
}

/** Holds a shared cache to its contract, while nothing is wrong. `open` gives the same one each time: tests take digests of their own. */
export function describeSharedCache(open: () => OpenSharedCache): void {
  let digests = 0;
  const newDigest = () => aDigest(digests++);

  async function versionAt(digest: string): Promise<number | undefined> {
    const found = await open().cache.find(A_TIMELINE, [digest]);
    return found.get(digest)?.known[0]?.entities[0]?.version;
  }

  it("finds what was kept, as it was kept", async () => {
    const { cache, written } = open();
    await fc.assert(
      fc.asyncProperty(fc.array(readings, { minLength: 1, maxLength: 10 }), async (several) => {
        const kept = new Map(several.map((reading) => [newDigest(), reading]));
        for (const [digest, reading] of kept) cache.keep(digest, reading);
        await written();
        const asked = [newDigest(), ...kept.keys(), newDigest()];
        expect(await cache.find(A_TIMELINE, asked)).toEqual(kept);
      }),
      { numRuns: 50 },
    );
  });

  it("finds nothing of another timeline or digest", async () => {
    const { cache, written } = open();
    const digest = newDigest();
    cache.keep(digest, aReading());
    await written();
    expect(await cache.find("another", [digest])).toEqual(new Map());
    expect(await cache.find(A_TIMELINE, [newDigest()])).toEqual(new Map());
    expect(await cache.find(A_TIMELINE, [])).toEqual(new Map());
  });

  it("keeps no reading that knows nobody", async () => {
    const { cache, written } = open();
    const digest = newDigest();
    cache.keep(digest, { ...aReading(), known: [] });
    await written();
    expect(await cache.find(A_TIMELINE, [digest])).toEqual(new Map());
  });

  it("keeps what is newer or as new over what is there, and nothing older", async () => {
    const { cache, written } = open();
    const digest = newDigest();
    cache.keep(digest, aReading(5));
    cache.keep(digest, aReading(4));
    await written();
    expect(await versionAt(digest)).toBe(5);
    cache.keep(digest, aReading(5, { displayName: "renamed" }));
    await written();
    const found = await cache.find(A_TIMELINE, [digest]);
    expect(found.get(digest)?.known[0]?.facts.displayName).toBe("renamed");
    cache.keep(digest, aReading(10));
    await written();
    expect(await versionAt(digest)).toBe(10);
  });

  it("goes by the sum of the versions where several know the secret", async () => {
    const { cache, written } = open();
    const digest = newDigest();
    const known = [aKnownSecret(3), aKnownSecret(4, { keyId: "key_2" })];
    cache.keep(digest, { ...aReading(), known });
    cache.keep(digest, aReading(6));
    await written();
    expect((await cache.find(A_TIMELINE, [digest])).get(digest)?.known).toHaveLength(2);
    cache.keep(digest, aReading(7));
    await written();
    expect((await cache.find(A_TIMELINE, [digest])).get(digest)?.known).toHaveLength(1);
  });

  it("keeps nothing that is older than a tombstone", async () => {
    const { cache, written } = open();
    const digest = newDigest();
    cache.keep(digest, aReading(3));
    cache.bury(A_TIMELINE, digest, 4);
    await written();
    expect(await versionAt(digest)).toBeUndefined();
    cache.keep(digest, aReading(3));
    await written();
    expect(await versionAt(digest)).toBeUndefined();
    cache.keep(digest, aReading(4));
    await written();
    expect(await versionAt(digest)).toBe(4);
  });

  it("buries nothing that is as new as the tombstone", async () => {
    const { cache, written } = open();
    const digest = newDigest();
    cache.keep(digest, aReading(4));
    cache.bury(A_TIMELINE, digest, 4);
    await written();
    expect(await versionAt(digest)).toBe(4);
  });

  it("comes to the same end in whatever order things are kept and buried", async () => {
    const { cache, written } = open();
    const steps = fc.array(fc.record({ kind: fc.constantFrom("keep", "bury"), version: fc.nat({ max: 12 }) }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.func(fc.boolean()), async (order, pauses) => {
        const digest = newDigest();
        for (const [index, { kind, version }] of order.entries()) {
          if (kind === "keep") cache.keep(digest, aReading(version));
          else cache.bury(A_TIMELINE, digest, version);
          if (pauses(index)) await written();
        }
        await written();
        const highest = (wanted: string) => {
          return Math.max(-1, ...order.filter(({ kind }) => kind === wanted).map(({ version }) => version));
        };
        // A value as new as the tombstone stays, and may be put over it.
        expect(await versionAt(digest)).toBe(highest("keep") >= highest("bury") ? highest("keep") : undefined);
      }),
      { numRuns: 200 },
    );
  });
}
