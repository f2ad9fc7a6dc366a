/** A point in time as milliseconds since 1970-01-01T00:00:00Z, leap seconds left out. All times of the domain have this form. */
export type UnixMs = number;

/** Tells the wall clock. A parameter wherever time matters, so that tests can move it. */
export type Clock = () => UnixMs;

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** The machine's wall clock. */
export const systemClock: Clock = () => Date.now();

/** Milliseconds that only ever grow, and stand still while the machine sleeps. */
export function monotonicMs(): number {
  return performance.now();
}

/** Seconds that only ever grow, for measuring how long something took. */
export function monotonicSeconds(): number {
  return performance.now() / SECOND_MS;
}
