import { MINUTE_MS, SECOND_MS } from "../time.ts";

/** Whoever has served for that long was sound: the end that comes then is a first one again. */
const STEADY_MS = MINUTE_MS;

const DELAY_MS_MIN = SECOND_MS / 2;

/** So long that ends in a row cost next to nothing, so short that service is back soon after its cause has gone. */
const DELAY_MS_MAX = 15 * SECOND_MS;

/** How many ends in a row it is with one more, after so long in service. */
export function endsInRow(before: number, servedMs: number): number {
  return servedMs >= STEADY_MS ? 1 : before + 1;
}

/**
 * How long a place stays empty after so many ends in a row. It is filled at once after the first; then the wait doubles, and
 * between half and all of it is taken, so that workers which end for one reason do not come back at one moment.
 */
export function respawnDelayMs(ends: number, random: () => number): number {
  if (ends <= 1) return 0;
  return Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** (ends - 2)) * (0.5 + random() / 2);
}
