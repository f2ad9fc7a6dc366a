import { SECOND_MS } from "../time.ts";

/**
 * The spans of the protocol. One principle rules them: whoever *trusts* counts the bare span, from before it asked; whoever
 * *waits* until another's trust has ended counts `waited(span)`, from after it knew.
 */

/** How often a replica polls the change feed. */
export const POLL_INTERVAL_MS = 200;

/** How long after the start of a good poll caches may answer. */
export const LEASE_MS = SECOND_MS;

/** How long after the start of a good poll a cached answer may stand in, flagged, for a Postgres that does not answer. */
export const DEGRADED_MS = 60 * SECOND_MS;

/** How often a replica renews its membership row: three times within the row's life, so that one lost renewal does no harm. */
export const ROW_RENEWAL_MS = 5 * SECOND_MS;

/** How long after its last renewal a membership row holds. */
export const ROW_MS = 15 * SECOND_MS;

/**
 * How far wall and monotonic clock may part before nothing measured with them is believed. More than an hour of slewing by NTP
 * (500 ppm) makes within the longest span (60 s: 30 ms), less than any pause of a machine that could matter.
 */
export const CLOCKS_PART_MS = 50;

/** By how much a span may take longer on one clock than on another: 5 %, where crystals keep to 0.01 % and NTP slews by 0.05 %. */
const CLOCK_RATE_PERCENT = 5;

/** How long to wait, by one's own clock, for a span to have passed on every clock. */
export function waited(spanMs: number): number {
  return spanMs + (spanMs * CLOCK_RATE_PERCENT) / 100;
}
