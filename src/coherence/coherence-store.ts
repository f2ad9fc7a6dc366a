import type { UnixMs } from "../time.ts";
import type { RevocationMode } from "./mode.ts";
import type { PollAnswer } from "./poll.ts";
import type { Position, Timeline } from "./position.ts";
import type { MemberRow } from "./row-watch.ts";
import type { Snapshot } from "./snapshot.ts";

/** What one statement read of all that a replica goes by. */
export interface Poll {
  /** Undefined where the history that Postgres is on has no row yet; then `beginTimeline` makes one. */
  readonly answer: PollAnswer | undefined;
  /** Whether the feed had anything, marks included, that `last` did not see. */
  readonly news: boolean;
  /** For which modes the timeline is old enough. */
  readonly settled: Readonly<Record<RevocationMode, boolean>>;
  readonly members: readonly StoredMember[];
  /** Keyspaces whose mode has not settled. */
  readonly unsettled: readonly UnsettledKeyspace[];
  /** Postgres's wall clock. */
  readonly clock: UnixMs;
}

export interface StoredMember extends MemberRow {
  /** What it has written into its row as applied. */
  readonly applied: Position | undefined;
}

export interface UnsettledKeyspace {
  readonly keyspaceId: string;
  readonly modeVersion: number;
}

/** Where the change feed and the members are. Each call fails within a few seconds, and stands in no request's way. */
export interface CoherenceStore {
  /** Reads what is new since `last`; nothing of the feed without one. */
  poll(last: Snapshot | undefined): Promise<Poll>;
  /** Makes a row for the history that Postgres is on, unless there is one. */
  beginTimeline(): Promise<void>;
  settleTimeline(timeline: Timeline, settled: Readonly<Record<RevocationMode, boolean>>): Promise<void>;
  settleKeyspace(keyspace: UnsettledKeyspace): Promise<void>;
  /** Adds a member, and says on which timeline. */
  join(memberId: string): Promise<Timeline>;
  /** Renews its row, and says on which timeline; undefined if the row is gone. */
  renew(memberId: string, applied: Position | undefined): Promise<Timeline | undefined>;
  /** Writes into its row what it has applied, without renewing it. */
  publish(memberId: string, applied: Position): Promise<void>;
  leave(memberIds: readonly string[]): Promise<void>;
  /** Forgets some of the changes that this snapshot saw, once it is old. Returns whether there is more. */
  trim(old: Snapshot): Promise<boolean>;
}
