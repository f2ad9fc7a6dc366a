import { CLOCKS_PART_MS } from "./bounds.ts";

/** Both clocks of a machine, read at one moment. */
export interface ClockReading {
  /** Never set, but stands still while the machine sleeps. */
  readonly monotonicMs: number;
  /** Goes on while the machine sleeps, but may be set. */
  readonly wallMs: number;
}

/**
 * The most time that can have passed between two readings, for whoever trusts something for a span: what the faster clock says,
 * and without end once they have parted, as neither can then be believed. (Who waits counts by the monotonic clock alone, which
 * never runs ahead.)
 */
export function elapsedAtMostMs(from: ClockReading, to: ClockReading): number {
  const monotonicMs = to.monotonicMs - from.monotonicMs;
  const wallMs = to.wallMs - from.wallMs;
  return Math.abs(wallMs - monotonicMs) > CLOCKS_PART_MS ? Number.POSITIVE_INFINITY : Math.max(wallMs, monotonicMs);
}
