import type { EntityChange } from "./floors.ts";
import type { Position, Timeline } from "./position.ts";
import { type Snapshot, seesAll, visible } from "./snapshot.ts";

/** What one statement read of the change feed. */
export interface PollAnswer {
  /** Of `pg_is_in_recovery()`: a standby's answer, however old. */
  readonly inRecovery: boolean;
  readonly timeline: Timeline;
  readonly snapshot: Snapshot;
  /**
   * The snapshot that the feed was last trimmed by; undefined if it never was. Rows go only once a snapshot sees them that was
   * taken long enough ago. (The largest id that went would not do: who saw that one may lack a smaller one that committed late.)
   */
  readonly trimmed: Snapshot | undefined;
  /** The rows that `isNews` finds. */
  readonly changes: readonly EntityChange[];
}

/** What the answer means for a replica that has applied all up to `last`. */
export type PollMeaning =
  /** Nothing: as if there had been no answer. */
  | { readonly kind: "failed" }
  /** The replica cannot know what it missed, and starts from here: caches, floors, position, and unless it is its first, membership. */
  | { readonly kind: "anew"; readonly because: "first" | "timeline" | "trimmed" }
  | { readonly kind: "news"; readonly changes: readonly EntityChange[] };

export function readPoll(last: Position | undefined, answer: PollAnswer): PollMeaning {
  if (answer.inRecovery) return { kind: "failed" };
  if (last === undefined) return { kind: "anew", because: "first" };
  if (last.timeline !== answer.timeline) return { kind: "anew", because: "timeline" };
  if (answer.trimmed !== undefined && !seesAll(last.snapshot, answer.trimmed)) {
    return { kind: "anew", because: "trimmed" };
  }
  return { kind: "news", changes: answer.changes };
}

/**
 * Which rows a poll reads: those it sees (as any statement does) and the last one did not. In SQL a UNION ALL of its two halves,
 * `xid >= pg_snapshot_xmax(last)` and `xid = any(pg_snapshot_xip(last))`.
 */
export function isNews(last: Snapshot, xid: bigint): boolean {
  return !visible(last, xid);
}
