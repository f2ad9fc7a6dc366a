import { ROW_MS } from "./bounds.ts";
import { type ClockReading, elapsedAtMostMs } from "./clocks.ts";
import type { Timeline } from "./position.ts";

/** A replica's row among the members, as the replica knows it. */
export interface Membership {
  readonly id: string;
  /** That the row was written on. */
  readonly timeline: Timeline;
  /** When the commit that made the row, without a gap since, was answered. */
  readonly joined: ClockReading;
  /** When the last renewal that was answered was sent. */
  readonly renewed: ClockReading;
}

/** For how much longer the row is sure to be there and to count for everyone. 0 when it is not. */
export function rowLeftMs(membership: Membership, now: ClockReading): number {
  return Math.max(0, ROW_MS - elapsedAtMostMs(membership.renewed, now));
}

/**
 * The membership after a renewal that found the row. One that is answered after the row's end is a new join: in between, others
 * may have stopped to count the row.
 */
export function renew(
  membership: Membership,
  renewal: { timeline: Timeline; sent: ClockReading; answered: ClockReading },
): Membership {
  const { timeline, sent, answered } = renewal;
  const gapless = timeline === membership.timeline && rowLeftMs(membership, answered) > 0;
  return { id: membership.id, timeline, joined: gapless ? membership.joined : answered, renewed: sent };
}
