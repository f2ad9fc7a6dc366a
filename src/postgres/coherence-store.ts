import type { Pool } from "pg";
import type { CoherenceStore, Poll } from "../coherence/coherence-store.ts";
import type { EntityChange } from "../coherence/floors.ts";
import type { Position } from "../coherence/position.ts";
import { formatSnapshot, parseSnapshot, type Snapshot } from "../coherence/snapshot.ts";
import type { IdKind } from "../ids.ts";
import { fromUuid, toUuid } from "./columns.ts";
import { toFailure } from "./sqlstate.ts";

interface PollRow {
  readonly in_recovery: boolean;
  readonly timeline: string | null;
  readonly settled_strict: boolean | null;
  readonly settled_available: boolean | null;
  readonly trimmed_below: string | null;
  readonly snapshot: string;
  readonly clock: number;
  /** Null where there were more than a replica reads. */
  readonly changes: readonly (readonly [xid: string, kind: string, entityId: string, version: number])[] | null;
  readonly members: readonly (readonly [
    id: string,
    renewal: number,
    timeline: string | null,
    snapshot: string | null,
  ])[];
  readonly unsettled: readonly (readonly [keyspaceId: string, modeVersion: number])[];
}

/** What one call of `trim_changes` forgets at most. */
const TRIM_BATCH = 10_000;

/** The feed and the members, over connections that nobody else takes. One statement each, outside any transaction. */
export function createCoherenceStore(pool: Pool): CoherenceStore {
  return {
    async poll(last) {
      const [row] = await rowsOf<PollRow>("select * from clavis.poll($1::pg_snapshot)", [last && formatSnapshot(last)]);
      // The function returns one row whatever there is.
      return pollFrom(row as PollRow);
    },
    async beginTimeline() {
      await rowsOf("select clavis.begin_timeline(false)");
    },
    async settleTimeline(timeline, { strict, available }) {
      await rowsOf("select clavis.settle_timeline($1, $2, $3)", [timeline, strict, available]);
    },
    async settleKeyspace({ keyspaceId, modeVersion }) {
      await rowsOf("select clavis.settle_keyspace($1, $2)", [toUuid("ks", keyspaceId), modeVersion]);
    },
    async join(memberId) {
      const [row] = await rowsOf<{ timeline: string | null }>(
        "insert into clavis.members (member_id) values ($1) returning clavis.current_timeline() as timeline",
        [memberId],
      );
      return row?.timeline ?? "";
    },
    async renew(memberId, applied) {
      const [row] = await rowsOf<{ timeline: string | null }>(
        `update clavis.members set renewal = renewal + 1,
                applied_timeline = coalesce($2, applied_timeline), applied_snapshot = coalesce($3, applied_snapshot)
         where member_id = $1 returning clavis.current_timeline() as timeline`,
        [memberId, applied?.timeline, applied && formatSnapshot(applied.snapshot)],
      );
      return row && (row.timeline ?? "");
    },
    async publish(memberId, applied) {
      await rowsOf("update clavis.members set applied_timeline = $2, applied_snapshot = $3 where member_id = $1", [
        memberId,
        applied.timeline,
        formatSnapshot(applied.snapshot),
      ]);
    },
    async leave(memberIds) {
      await rowsOf("delete from clavis.members where member_id = any ($1::uuid[])", [memberIds]);
    },
    async trim(old) {
      // All that is below a snapshot's xmin, it has seen.
      const [row] = await rowsOf<{ gone: number }>("select clavis.trim_changes($1::xid8) as gone", [String(old.xmin)]);
      return row?.gone === TRIM_BATCH;
    },
  };

  async function rowsOf<Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await pool.query(text, [...values]).catch((error: unknown) => Promise.reject(toFailure(error)));
    return rows as Row[];
  }
}

function pollFrom(row: PollRow): Poll {
  return {
    answer: answerFrom(row),
    news: row.changes === null || row.changes.length > 0,
    settled: { strict: row.settled_strict === true, available: row.settled_available === true },
    members: row.members.map(([id, renewal, timeline, snapshot]) => ({
      id,
      renewal,
      applied: positionFrom(timeline, snapshot),
    })),
    unsettled: row.unsettled.map(([uuid, modeVersion]) => ({ keyspaceId: fromUuid("ks", uuid), modeVersion })),
    clock: row.clock,
  };
}

function answerFrom(row: PollRow): Poll["answer"] {
  const snapshot = parseSnapshot(row.snapshot);
  if (row.in_recovery) return { inRecovery: true, timeline: "", snapshot, trimmed: undefined, changes: [] };
  if (row.timeline === null) return undefined;
  return {
    inRecovery: false,
    timeline: row.timeline,
    snapshot,
    // More than can be read has the same meaning as what is gone: nobody knows what it was.
    trimmed: row.changes === null ? snapshot : allBelow(row.trimmed_below),
    changes: (row.changes ?? []).flatMap(changeFrom),
  };
}

/** The snapshot that sees just what is below a transaction id. */
function allBelow(xid: string | null): Snapshot | undefined {
  return xid === null ? undefined : { xmin: BigInt(xid), xmax: BigInt(xid), xip: [] };
}

const kinds: Readonly<Record<string, IdKind>> = { key: "key", ks: "ks", ten: "ten" };

function changeFrom([xid, kind, uuid, version]: NonNullable<PollRow["changes"]>[number]): EntityChange[] {
  const idKind = kinds[kind];
  // A mark is of no entity.
  return idKind === undefined ? [] : [{ id: fromUuid(idKind, uuid), version, xid: BigInt(xid) }];
}

function positionFrom(timeline: string | null, snapshot: string | null): Position | undefined {
  return timeline === null || snapshot === null ? undefined : { timeline, snapshot: parseSnapshot(snapshot) };
}
