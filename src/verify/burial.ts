import type { Effect, Effects } from "../changes/effect.ts";
import type { EntityChange } from "../coherence/floors.ts";
import type { Timeline } from "../coherence/position.ts";
import type { SecretStore } from "./secret-store.ts";
import type { SharedCache } from "./shared-cache.ts";

/** Puts tombstones into the shared cache for keys that this process has changed. One process does it for all. */
export interface Burial {
  /** The same effects, each remembered as this process's own. */
  readonly effects: Effects;
  /** To be told what the change feed says. */
  observe(timeline: Timeline | undefined, changes: readonly EntityChange[]): void;
}

interface Parts {
  readonly effects: Effects;
  readonly store: Pick<SecretStore, "digestsOf">;
  readonly shared: Pick<SharedCache, "bury">;
}

/** Changes that the feed has not told of yet. What is forgotten is not buried, and falls to the floors alone. */
const OWN_MAX = 1000;

export function createBurial({ effects, store, shared }: Parts): Burial {
  const own = new Set<bigint>();

  function remember({ change }: Effect): void {
    if (own.size >= OWN_MAX) own.clear();
    own.add(change.xid);
  }

  async function bury(timeline: Timeline, changes: readonly EntityChange[]): Promise<void> {
    const versions = new Map(changes.map(({ id, version }) => [id, version]));
    const secrets = await store.digestsOf([...versions.keys()]);
    for (const { keyId, digest } of secrets) shared.bury(timeline, digest, versions.get(keyId) ?? 0);
  }

  return {
    effects: {
      take(effect, maxWaitMs, signal) {
        remember(effect);
        return effects.take(effect, maxWaitMs, signal);
      },
      apply(effect) {
        remember(effect);
        return effects.apply(effect);
      },
    },

    observe(timeline, changes) {
      const mine = changes.filter(({ id, xid }) => own.has(xid) && id.startsWith("key_"));
      for (const { xid } of changes) own.delete(xid);
      // Nothing rests on it, so nothing is lost with it.
      if (timeline !== undefined && mine.length > 0) bury(timeline, mine).catch(() => {});
    },
  };
}
