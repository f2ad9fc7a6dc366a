import pg from "pg";
import { principalId } from "../access/principal.ts";
import type { AuditLog, EventQuery } from "../audit/audit-log.ts";
import { type Event, type EventDraft, type EventType, type Snapshot, type Target, targetsOf } from "../audit/event.ts";
import type { Call } from "../call.ts";
import type { NewId } from "../ids.ts";
import type { RevokeReason } from "../keys/key.ts";
import { fromUuid, toTime, toUuid } from "./columns.ts";
import type { Db, LastStatements } from "./connection.ts";

/** What of an event is no column of its own. Resources are kept as the domain has them. */
interface Content {
  readonly before: Snapshot | null;
  readonly after: Snapshot | null;
  readonly reason: RevokeReason;
  readonly reasonText: string;
  readonly address: string;
  readonly userAgent: string;
}

interface Parts {
  readonly db: Db;
  readonly last: LastStatements;
  readonly call: Call;
  readonly tenantId: string;
  readonly newId: NewId;
}

const columns = ["sequence", "event_id", "time", "type", "actor_type", "actor_id", "call_id", "content"] as const;

export function createAuditLog({ db, last, call, tenantId, newId }: Parts): AuditLog {
  const tenant_id = toUuid("ten", tenantId);
  return {
    append(drafts) {
      if (drafts.length === 0) return;
      const events = JSON.stringify(drafts.map(toJson));
      last.push(`select clavis.append_events(${pg.escapeLiteral(tenant_id)}, ${pg.escapeLiteral(events)}::jsonb)`);
    },

    async list(query) {
      const direction = query.oldestFirst ? "asc" : "desc";
      const rows = await select(query).orderBy("sequence", direction).limit(query.limit).execute();
      return rows.map((row): Event => {
        // Written by `toJson`, and nobody may change it since.
        const content = row.content as unknown as Content;
        return {
          id: fromUuid("evt", row.event_id),
          sequence: row.sequence,
          time: row.time,
          type: row.type as EventType,
          actorType: row.actor_type,
          actorId: row.actor_id,
          targets: targetsIn(content),
          callId: row.call_id,
          ...content,
        };
      });
    },
  };

  function toJson({ type, before, after, reason = "unspecified", reasonText = "" }: EventDraft) {
    const { principal, address, userAgent } = call;
    const targets = targetsIn({ before, after });
    const content: Content = { before, after, reason, reasonText, address, userAgent };
    return {
      event_id: toUuid("evt", newId("evt")),
      type,
      actor_type: principal.type,
      actor_id: principalId(principal),
      target_id: targets[0]?.id ?? "",
      keyspace_id: targets.find((target) => target.type === "keyspace")?.id ?? null,
      call_id: call.id,
      content,
    };
  }

  function select({ filter, keyspaceIds, oldestFirst, after }: EventQuery) {
    const { types, actorId, targetId, callId, afterTime, beforeTime } = filter;
    let query = db.selectFrom("clavis.audit_events").select(columns).where("tenant_id", "=", tenant_id);
    if (types.length > 0) query = query.where("type", "in", types);
    if (actorId !== "") query = query.where("actor_id", "=", actorId);
    if (targetId !== "")
      query = query.where((is) => is.or([is("target_id", "=", targetId), is("keyspace_id", "=", targetId)]));
    if (callId !== "") query = query.where("call_id", "=", callId);
    if (afterTime !== null) query = query.where("time", ">=", toTime(afterTime) as never);
    if (beforeTime !== null) query = query.where("time", "<", toTime(beforeTime) as never);
    if (keyspaceIds !== undefined) query = query.where("keyspace_id", "in", keyspaceIds);
    return after === undefined ? query : query.where("sequence", oldestFirst ? ">" : "<", after);
  }
}

function targetsIn({ before, after }: Pick<Content, "before" | "after">): readonly Target[] {
  const snapshot = after ?? before;
  return snapshot === null ? [] : targetsOf(snapshot);
}
