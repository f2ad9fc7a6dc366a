/**
 * The guards of the protocol, each of which a walk can leave out. Those in `needed` are shown to be needed: without it alone, some
 * walk admits what was revoked. Those in `notShown` are kept for other reasons, or rest on others; see there.
 */
export const needed = {
  // Rule 3: polls.
  "poll-xip": "a poll also reads what was in progress at the last one",
  "poll-trimmed": "who was away while the feed was trimmed starts anew",
  "trim-by-snapshot": "the feed is trimmed by an old snapshot, which is recorded, and not the largest id that went",
  "poll-timeline": "who sees another timeline starts anew",
  "poll-recovery": "a poll of a standby fails",
  "read-recovery": "a read of a standby fails",
  // Rule 4: floors and horizon.
  "floor-on-store": "what is below a floor is not stored",
  "floor-on-hit": "what is below a floor does not answer",
  horizon: "what sees less than the horizon is not believed",
  "horizon-xip": "what sees less than the horizon under the same xmax is not believed",
  "horizon-on-hit": "what sees less than the horizon does not answer either",
  "record-timeline": "what was read on another timeline is not believed",
  "horizon-moves": "dropping floors moves the horizon",
  // Rule 5: leases.
  lease: "caches answer under a lease alone",
  "lease-from-start": "a lease counts from the start of the poll",
  "lease-clocks": "leases and rows count by the faster clock and end when they part",
  "clocks-finely": "clocks have parted when they are 50 ms apart, and until then the faster one counts",
  "row-before-poll": "a poll gives a lease only if the row's commit was answered before it began",
  "lease-within-row": "a lease ends with the row",
  "row-from-sent": "a row counts from when its renewal was sent",
  "row-clocks": "rows do so as well as leases",
  "late-renewal": "a renewal that is answered late is a new join",
  "own-read": "without a lease a Verify joins only a read that is sent after it began",
  // Rule 6: returning.
  "bound-rates": "who waits adds 5 % for clock rates",
  "bound-from-answer": "the bound counts from the answer to COMMIT",
  "bound-monotonic": "the bound counts by the monotonic clock",
  "roster-after-commit": "the members are read after COMMIT was answered",
  "timeline-settles": "nobody returns early on a young timeline",
  "lapsed-row-counts": "a lapsed row counts on where keyspaces are available",
  "lapse-by-own-clock": "a row's lapse is judged by the judge's clock, not by Postgres's",
  "lapse-rates": "a row's lapse is judged with 5 % added for clock rates",
  "strict-settles": "a keyspace that was made strict counts as available for a while",
  "mode-lock": "the modes are read under a lock",
  "weakest-mode": "a change that concerns several keyspaces takes the weakest mode",
  "row-outlives-leases": "a row goes only when every lease that its replica gave has ended",
  "dead-worker-waits": "a dead worker's row goes only when every lease that it gave has ended",
  "replay-waits": "a replayed RevokeKey waits again",
  // Rule 7: the SDK's cache.
  "ask-time": "an SDK's lease runs from when it asked",
  "grant-within": "an SDK's lease never runs beyond the replica's own",
  "sdk-clocks": "an SDK's lease counts by the faster clock and ends when they part",
  "watch-empties": "a watch begins with an empty cache",
  "watch-horizon": "the opening snapshot of a watch is the SDK's horizon",
  "sdk-floors": "an answer below a floor is not kept",
  "sdk-own-call": "a Verify joins an earlier one's call only under a lease, and takes its answer only if that is kept",
  "publish-waits": "a change is published once watchers have acknowledged it or their leases have ended",
  "watcher-rates": "a watcher's lease counts 5 % longer at the replica",
  "lease-outlives-stream": "a watcher's lease outlives its stream",
  // Rule 8: modes.
  "strict-refuses": "strict keyspaces have no answer beyond the lease",
  "available-settles": "a keyspace that was made available gives degraded answers only after a while",
  "degraded-ends": "degraded answers end a minute after the last poll that gave a lease",
  "degraded-clocks": "degraded answers end when the clocks part",
  "degraded-needs-row": "a poll that gave no lease gives no degraded answers either",
  "available-bound": "in available keyspaces the bound is that of degraded answers",
} as const;

export const notShown = {
  "own-timeline":
    "what is published of another timeline counts for nothing: whoever starts anew takes a new id, and a young timeline lets nobody return early",
  "compare-and-set":
    "only the version in hand is written to Redis if it is newer: saves reads, while floors and horizon decide",
  tombstones: "a revocation leaves a tombstone in Redis: saves reads, likewise",
  hints: "a revocation wakes the others: saves time, which the bound covers",
  "degraded-not-kept":
    "an SDK keeps no degraded answer: one that was given by a replica that lags is refused by position anyway",
} as const;

export type Guard = keyof typeof needed | keyof typeof notShown;
