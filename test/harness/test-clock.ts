import type { Clock } from "../../src/time.ts";

/** A clock that stands still until it is moved. */
export interface TestClock {
  readonly clock: Clock;
  now(): number;
  /** Moves it on by `ms` and gives the time that it then shows. */
  advance(ms: number): number;
  /** The time `ms` from now, as a date; before now if `ms` is negative. */
  date(ms?: number): Date;
}

/** A clock that shows the present: Postgres has its own, and tokens and ids are to look like those of today. */
export function createTestClock(): TestClock {
  let time = Date.now();
  return {
    clock: () => time,
    now: () => time,
    advance(ms) {
      time += ms;
      return time;
    },
    date: (ms = 0) => new Date(time + ms),
  };
}
