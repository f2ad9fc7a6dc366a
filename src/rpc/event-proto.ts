import { isDeepStrictEqual } from "node:util";
import { create, type DescMessage, type Message, toJson } from "@bufbuild/protobuf";
import type { Event, Snapshot } from "../audit/event.ts";
import {
  type Event as EventProto,
  EventSchema,
  type Snapshot as SnapshotProto,
  SnapshotSchema,
} from "../gen/clavis/v1/audit_pb.ts";
import { KeySchema } from "../gen/clavis/v1/key_pb.ts";
import { KeyspaceSchema } from "../gen/clavis/v1/keyspace_pb.ts";
import { TenantSchema } from "../gen/clavis/v1/tenant_pb.ts";
import type { UnixMs } from "../time.ts";
import { keyToProto, reasonToProto } from "./key-proto.ts";
import { keyspaceToProto } from "./keyspace-proto.ts";
import { tenantToProto } from "./tenant-proto.ts";
import { timeToProto } from "./time-proto.ts";

export function eventToProto(event: Event): EventProto {
  const before = snapshotToProto(event.before, event.time);
  const after = snapshotToProto(event.after, event.time);
  return create(EventSchema, {
    id: event.id,
    sequence: BigInt(event.sequence),
    time: timeToProto(event.time),
    type: event.type,
    actor: { type: event.actorType, id: event.actorId },
    targets: event.targets.map((target) => ({ ...target })),
    ...(before && { before }),
    ...(after && { after }),
    changedFields: { paths: changedFields(before, after) },
    reason: reasonToProto(event.reason),
    reasonText: event.reasonText,
    address: event.address,
    userAgent: event.userAgent,
    callId: event.callId,
  });
}

/** The resource as it was at the time of the event, derived fields included. */
function snapshotToProto(snapshot: Snapshot | null, time: UnixMs): SnapshotProto | undefined {
  switch (snapshot?.type) {
    case undefined:
      return undefined;
    case "tenant":
      return create(SnapshotSchema, { resource: { case: "tenant", value: tenantToProto(snapshot.tenant) } });
    case "keyspace":
      return create(SnapshotSchema, { resource: { case: "keyspace", value: keyspaceToProto(snapshot.keyspace) } });
    case "key":
      return create(SnapshotSchema, { resource: { case: "key", value: keyToProto(snapshot.key, time) } });
  }
}

/** They change with everything, and so tell nothing. */
const bookkeeping = new Set(["etag", "update_time"]);

/** The fields in which two snapshots differ, by their names in the contract. Empty unless there are two. */
function changedFields(before: SnapshotProto | undefined, after: SnapshotProto | undefined): string[] {
  if (before?.resource.case === undefined || after?.resource.case === undefined) return [];
  const schema = { tenant: TenantSchema, keyspace: KeyspaceSchema, key: KeySchema }[after.resource.case];
  const [old, young] = [fieldsOf(schema, before.resource.value), fieldsOf(schema, after.resource.value)];
  const names = schema.fields.map(({ name }) => name);
  return names.filter((name) => !bookkeeping.has(name) && !isDeepStrictEqual(old[name], young[name]));
}

function fieldsOf(schema: DescMessage, message: Message): Record<string, unknown> {
  return toJson(schema, message, { useProtoFieldName: true }) as Record<string, unknown>;
}
