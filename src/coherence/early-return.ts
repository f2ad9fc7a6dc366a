import { ROW_MS, waited } from "./bounds.ts";
import { type RevocationMode, trustMs } from "./mode.ts";
import { type ChangeId, hasSeen, type Position, type Timeline } from "./position.ts";

/** The members, read by a statement that was sent after the change's COMMIT was answered. */
export interface Roster {
  /** That it was read on. */
  readonly timeline: Timeline;
  /** For which modes the timeline is old enough that nobody trusts what was on another (`hasSettled`). */
  readonly settled: Readonly<Record<RevocationMode, boolean>>;
  readonly members: readonly Member[];
}

export interface Member {
  readonly id: string;
  /** For how long, at least, the row has not been renewed: see `RowWatch`. */
  readonly unrenewedForMs: number;
  /** What the member has published as applied, in Redis or in its row; the further of both. */
  readonly published: Position | undefined;
}

/**
 * How long after its COMMIT was answered a change has taken effect everywhere, whoever is frozen, cut off or dead: whatever was
 * trusted before has ended then. By the monotonic clock of whoever waits.
 */
export function effectBoundMs(mode: RevocationMode): number {
  return waited(trustMs[mode]);
}

/** Whether a change has taken effect everywhere already, since each member that counts has applied it. */
export function hasTakenEffect(change: ChangeId, mode: RevocationMode, roster: Roster): boolean {
  return (
    roster.timeline === change.timeline &&
    roster.settled[mode] &&
    roster.members.every(
      (member) => !counts(member, mode) || (member.published !== undefined && hasSeen(member.published, change)),
    )
  );
}

/** Whether the member may still trust something. A lapsed row stands for leases that ended with it, and for degraded answers that go on. */
export function counts(member: Pick<Member, "unrenewedForMs">, mode: RevocationMode): boolean {
  const trustPastRowMs = mode === "strict" ? 0 : trustMs.available;
  return member.unrenewedForMs < waited(ROW_MS + trustPastRowMs);
}
