import { type Snapshot, seesAll, visible } from "./snapshot.ts";

/**
 * The history that Postgres is on. A failover may begin a new one, on which transaction ids are given out again, so that a
 * snapshot means something on its own timeline only. So may a crash: ids that had not got to the disk are given out again. No two
 * histories may share a name: Postgres's timeline number alone will not do, since a crash does not change it, and two standbys
 * that are promoted one after the other, each from the first timeline, may both call theirs the second.
 */
export type Timeline = string;

/** How far someone has come in a history. */
export interface Position {
  readonly timeline: Timeline;
  readonly snapshot: Snapshot;
}

/** A transaction that changed something. */
export interface ChangeId {
  readonly timeline: Timeline;
  readonly xid: bigint;
}

/** Whether who is at `position` has seen `change`. Across timelines nobody can tell, and that is a no. */
export function hasSeen(position: Position, change: ChangeId): boolean {
  return position.timeline === change.timeline && visible(position.snapshot, change.xid);
}

/** Whether who is at `position` has seen all that who is at `other` has. */
export function hasSeenAll(position: Position, other: Position): boolean {
  return position.timeline === other.timeline && seesAll(position.snapshot, other.snapshot);
}
