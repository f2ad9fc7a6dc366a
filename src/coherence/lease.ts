import { DEGRADED_MS, LEASE_MS } from "./bounds.ts";
import { type ClockReading, elapsedAtMostMs } from "./clocks.ts";
import { type Membership, rowLeftMs } from "./membership.ts";
import type { Timeline } from "./position.ts";

/** The last poll that gave a lease. */
export interface Trust {
  readonly timeline: Timeline;
  readonly pollBegan: ClockReading;
}

/**
 * What a good poll that has been applied gives: trust, if everyone could know of this replica before the poll began. Otherwise a
 * change could commit, find nobody to wait for, and be missed by a poll that began earlier. `undefined` leaves the trust there is.
 */
export function trustFrom(
  poll: { timeline: Timeline; began: ClockReading },
  membership: Membership | undefined,
): Trust | undefined {
  return membership !== undefined && coversPoll(membership, poll)
    ? { timeline: poll.timeline, pollBegan: poll.began }
    : undefined;
}

/** For how much longer caches may answer. 0 is not at all. Never beyond the end of the membership row. */
export function leaseLeftMs(trust: Trust | undefined, membership: Membership | undefined, now: ClockReading): number {
  if (trust === undefined || membership === undefined) return 0;
  if (!coversPoll(membership, { timeline: trust.timeline, began: trust.pollBegan })) return 0;
  return Math.max(0, Math.min(LEASE_MS - elapsedAtMostMs(trust.pollBegan, now), rowLeftMs(membership, now)));
}

/**
 * For how much longer a cached record of an `available` keyspace may answer when Postgres does not. Goes on past the row's end:
 * that is why a lapsed row counts on for as long.
 */
export function degradedLeftMs(trust: Trust | undefined, now: ClockReading): number {
  return trust === undefined ? 0 : Math.max(0, DEGRADED_MS - elapsedAtMostMs(trust.pollBegan, now));
}

function coversPoll(membership: Membership, poll: { timeline: Timeline; began: ClockReading }): boolean {
  return (
    membership.timeline === poll.timeline &&
    membership.joined.monotonicMs <= poll.began.monotonicMs &&
    rowLeftMs(membership, poll.began) > 0
  );
}
