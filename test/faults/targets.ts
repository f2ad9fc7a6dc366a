/** What becomes of secrets in a run, and the judgement on each Verify of them. */
import type { Prng } from "../harness/prng.ts";

export type Mode = "strict" | "available";
export type Kind = "revoke" | "disable" | "rotate" | "keyspace";

/** A secret that works until something is taken away. Times are by this process's monotonic clock. */
export interface Target {
  readonly kind: Kind;
  readonly mode: Mode;
  readonly keyId: string;
  readonly keyspaceId: string;
  readonly secret: string;
  readonly request: Buffer;
  /** Since when somebody has been asking for its end. */
  takenMs: number | undefined;
  /** From when on no Verify that begins may be told that it is valid. */
  goneMs: number;
  /** How many Verifies that began after its end were answered. */
  refusals: number;
}

/** All the targets there are. */
export interface Targets {
  add(target: Target): void;
  /** One that nobody has begun to end yet; from here on it counts as begun. */
  take(prng: Prng): Target | undefined;
  /** One to verify: mostly a live one, otherwise one that was ended, rather lately than long ago. */
  pick(prng: Prng): Target | undefined;
  readonly taken: readonly Target[];
}

const LIVE_SHARE = 0.6;
const LATELY = 12;

/** As many of those that were ended as still may be trusted by anyone, and some. */
const TAKEN_MAX = 1_500;

export function createTargets(): Targets {
  const live: Target[] = [];
  const taken: Target[] = [];
  return {
    taken,
    add: (target) => void live.push(target),
    take(prng) {
      const [target] = live.splice(prng.below(live.length), 1);
      if (target === undefined) return undefined;
      target.takenMs = performance.now();
      taken.push(target);
      return target;
    },
    pick(prng) {
      if (taken.length === 0 || prng.chance(LIVE_SHARE)) return live[prng.below(live.length)];
      const among = prng.chance(0.5) ? LATELY : TAKEN_MAX;
      const first = Math.max(0, taken.length - among);
      return taken[first + prng.below(taken.length - first)];
    },
  };
}
