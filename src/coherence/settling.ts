import type { CoherenceStore, Poll } from "./coherence-store.ts";
import { hasSettled } from "./mode.ts";

/** Notes in Postgres what is old enough for others to build on: timelines, and modes of keyspaces. */
export interface Settling {
  /** Takes note of what a poll found that was answered at `nowMs`, by the monotonic clock. */
  observe(poll: Poll, nowMs: number): void;
}

export function createSettling(store: Pick<CoherenceStore, "settleTimeline" | "settleKeyspace">): Settling {
  let knownSinceMs = new Map<string, number>();
  return {
    observe({ answer, settled, unsettled }, nowMs) {
      if (answer === undefined || answer.inRecovery) return;
      const { timeline } = answer;
      const known = new Map<string, number>();

      /** For how long this process has known it. */
      function knownForMs(name: string): number {
        const sinceMs = knownSinceMs.get(name) ?? nowMs;
        known.set(name, sinceMs);
        return nowMs - sinceMs;
      }

      if (!settled.available) {
        const forMs = knownForMs(timeline);
        const strict = hasSettled(forMs, "strict");
        const available = hasSettled(forMs, "available");
        if ((strict && !settled.strict) || available) {
          store.settleTimeline(timeline, { strict, available }).catch(passOver);
        }
      }
      for (const keyspace of unsettled) {
        // A version means something on one timeline only.
        const forMs = knownForMs(`${timeline}/${keyspace.keyspaceId}@${keyspace.modeVersion}`);
        if (hasSettled(forMs, "available")) store.settleKeyspace(keyspace).catch(passOver);
      }
      knownSinceMs = known;
    },
  };
}

/** The next poll finds it again. */
function passOver(): void {}
