import type { Effect, Effects } from "../changes/effect.ts";
import { type Clock, SECOND_MS, type UnixMs } from "../time.ts";
import type { Roster } from "./early-return.ts";
import { type ChangeId, hasSeen, type Position } from "./position.ts";
import type { Rules } from "./rules.ts";

/** Changes of this replica that others may not have applied yet. */
export interface PendingEffects extends Effects {
  readonly waiting: boolean;
  /** Lets go of what this roster shows to hold everywhere. It was asked for at `sentMs`, by the monotonic clock. */
  judge(roster: Roster, sentMs: number): void;
  /** Takes note of how far this replica has come. */
  follow(applied: Position): void;
  /** Lets go of all, and of all that comes from now on, with the times that hold whatever happens. */
  giveUp(): void;
}

/** How an effect was told: `early` by the members' word, at the `bound` when all leases had ended, or `ahead` of it. */
export type Manner = "early" | "bound" | "ahead";

interface Pending {
  readonly effect: Effect;
  /** When the COMMIT was known to be answered, by the monotonic clock. */
  readonly sinceMs: number;
  readonly settle: (early: boolean) => void;
}

interface Parts {
  readonly rules: Pick<Rules, "hasTakenEffect" | "effectBoundMs">;
  readonly monotonicMs: () => number;
  readonly clock: Clock;
  /** Called when there is something to look for. */
  readonly onWaiting: () => void;
  readonly onTaken: (effect: Effect, manner: Manner, waitedMs: number) => void;
}

/** For this replica to apply what it has committed itself: without the change feed for that long, it reads Postgres. */
const OWN_WAIT_MS = SECOND_MS;

/** Timers count whole milliseconds, and may so fire before the span has quite passed. */
const TIMER_EARLY_MS = 1;

export function createPendingEffects({ rules, monotonicMs, clock, onWaiting, onTaken }: Parts): PendingEffects {
  const all = new Set<Pending>();
  const own = new Map<() => void, ChangeId>();
  let givenUp = false;

  return {
    get waiting() {
      return all.size > 0 || own.size > 0;
    },

    apply({ change }) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(settle, OWN_WAIT_MS);
      own.set(settle, change);
      onWaiting();
      return promise;

      function settle(): void {
        own.delete(settle);
        clearTimeout(timer);
        resolve();
      }
    },

    take(effect, maxWaitMs, signal) {
      const sinceMs = monotonicMs();
      const boundMs = rules.effectBoundMs(effect.mode);
      const { promise, resolve } = Promise.withResolvers<UnixMs>();
      const pending: Pending = { effect, sinceMs, settle };
      const timer = setTimeout(giveUp, givenUp ? 0 : Math.min(maxWaitMs, boundMs + TIMER_EARLY_MS));
      all.add(pending);
      // Whoever has gone hears nothing any more, but the change stays committed.
      signal.addEventListener("abort", giveUp);
      onWaiting();
      return promise;

      function giveUp(): void {
        settle(false);
      }

      function settle(early: boolean): void {
        all.delete(pending);
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        const waitedMs = monotonicMs() - sinceMs;
        const leftMs = early ? 0 : Math.max(0, boundMs - waitedMs);
        onTaken(effect, early ? "early" : leftMs === 0 ? "bound" : "ahead", waitedMs);
        // Up to the next millisecond: a time before the effect would be a lie.
        resolve(clock() + Math.ceil(leftMs));
      }
    },

    judge(roster, sentMs) {
      for (const { effect, sinceMs, settle } of all) {
        if (sinceMs <= sentMs && rules.hasTakenEffect(effect.change, effect.mode, roster)) settle(true);
      }
    },

    follow(applied) {
      for (const [settle, change] of own) if (hasSeen(applied, change)) settle();
    },

    giveUp() {
      givenUp = true;
      for (const settle of own.keys()) settle();
      for (const { settle } of all) settle(false);
    },
  };
}
