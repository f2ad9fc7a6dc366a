import type { RevocationMode } from "../coherence/mode.ts";
import type { ChangeId } from "../coherence/position.ts";
import type { UnixMs } from "../time.ts";

/** What was committed, as far as its effect on other replicas is concerned. */
export interface Effect {
  readonly change: ChangeId;
  /** The weakest of the keyspaces that it concerns, as they were until the commit. */
  readonly mode: RevocationMode;
}

/** Waits until changes hold everywhere. */
export interface Effects {
  /**
   * To be called once the COMMIT has been answered. Resolves to the time from which on no replica decides any more by what was
   * before: now, if that is so within `maxWaitMs`, and otherwise a time ahead that holds whatever happens.
   */
  take(effect: Effect, maxWaitMs: number, signal: AbortSignal): Promise<UnixMs>;
  /** Resolves when this replica decides by it, or after a second if it cannot find out. The others are told to look. */
  apply(effect: Effect): Promise<void>;
}

/** For who serves nobody yet. */
export const noEffects: Effects = {
  take: () => Promise.reject(new Error("nobody waits for effects here")),
  apply: async () => {},
};
