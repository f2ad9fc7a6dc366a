import { waited } from "./bounds.ts";
import { type ClockReading, elapsedAtMostMs } from "./clocks.ts";

/** An SDK that watches this replica, or did: its lease outlives its stream. */
export interface Watcher {
  /** How many of the messages with changes it was sent it has acknowledged, counted with all that came before the watch. */
  readonly acknowledged: number;
  /** When its last lease will have ended on every clock, by the replica's monotonic one: see `leaseGivenEndsMs`. */
  readonly leaseEndsMs: number;
}

/** When a lease that is given at `nowMs` for `leftMs` (what is left of the replica's own) has surely ended. */
export function leaseGivenEndsMs(nowMs: number, leftMs: number): number {
  return nowMs + waited(leftMs);
}

/**
 * Whether what was applied with message `message` and before may be published: no watcher can still answer by what was before.
 * Gone watchers count until their lease has ended.
 */
export function mayPublish(message: number, watchers: Iterable<Watcher>, nowMs: number): boolean {
  return Array.from(watchers).every(({ acknowledged, leaseEndsMs }) => acknowledged >= message || nowMs >= leaseEndsMs);
}

/** A lease as the SDK holds it: `spanMs` as granted, from when it asked. */
export interface GrantedLease {
  readonly asked: ClockReading;
  readonly spanMs: number;
}

/** For how much longer the SDK's cache may answer. 0 is not at all. */
export function grantedLeftMs(lease: GrantedLease | undefined, now: ClockReading): number {
  return lease === undefined ? 0 : Math.max(0, lease.spanMs - elapsedAtMostMs(lease.asked, now));
}
