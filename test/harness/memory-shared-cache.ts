import type { Reading } from "../../src/verify/known-secret.ts";
import type { SharedCache } from "../../src/verify/shared-cache.ts";

/** What Redis does for several replicas, for several in one process. */
export function createMemorySharedCache(): SharedCache {
  const places = new Map<string, { readonly version: number; readonly reading: Reading | undefined }>();
  const nameOf = (timeline: string, digest: string) => `${timeline} ${digest}`;
  return {
    async find(timeline, digests) {
      const found = digests.map((digest) => [digest, places.get(nameOf(timeline, digest))?.reading] as const);
      return new Map(found.filter((one): one is [string, Reading] => one[1] !== undefined));
    },
    keep(digest, reading) {
      if (reading.known.length === 0) return;
      const name = nameOf(reading.position.timeline, digest);
      const version = reading.known.reduce((sum, { facts: { keyId }, entities }) => {
        return sum + (entities.find(({ id }) => id === keyId)?.version ?? 0);
      }, 0);
      if (version >= (places.get(name)?.version ?? 0)) places.set(name, { version, reading });
    },
    bury(timeline, digest, version) {
      const name = nameOf(timeline, digest);
      if (version > (places.get(name)?.version ?? -1)) places.set(name, { version, reading: undefined });
    },
  };
}
