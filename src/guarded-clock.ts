import type { Log } from "./log.ts";
import { type Clock, SECOND_MS } from "./time.ts";

/** The machine's wall clock, held to Postgres's: expiry is decided by each replica, and must not depend on which one is asked. */
export interface GuardedClock {
  readonly clock: Clock;
  /** Whether it is near enough to Postgres's for this process to decide anything. */
  readonly sound: boolean;
  /** How far Postgres's clock is ahead of the machine's, at least; negative if it is behind. */
  compare(aheadMs: number): void;
}

/** Less than that is nobody's business. */
const TOLERATED_MS = SECOND_MS / 4;

/** More than that, and one of the two is wrong. */
const SOUND_MS = 2 * SECOND_MS;

/** Goes by the machine's clock, corrected while it is somewhat off. */
export function guardClock(machine: Clock, log: Log): GuardedClock {
  let correctionMs = 0;
  let sound = true;
  return {
    clock: () => machine() + correctionMs,
    get sound() {
      return sound;
    },
    compare(aheadMs) {
      const off = Math.abs(aheadMs) > TOLERATED_MS;
      const isSound = Math.abs(aheadMs) <= SOUND_MS;
      if (isSound !== sound) {
        if (isSound) log.info({ aheadMs }, "the clock agrees with Postgres's again");
        else log.error({ aheadMs }, "the clock is too far from Postgres's: not ready until they agree");
      } else if (off && correctionMs === 0 && isSound) {
        log.warn({ aheadMs }, "the clock is off, and corrected by Postgres's");
      }
      sound = isSound;
      correctionMs = off && isSound ? aheadMs : 0;
    },
  };
}
