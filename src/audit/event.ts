import type { Key, RevokeReason } from "../keys/key.ts";
import type { Keyspace } from "../keyspaces/keyspace.ts";
import type { Tenant } from "../tenants/tenant.ts";
import type { UnixMs } from "../time.ts";

export type EventType =
  | "tenant.created"
  | "tenant.updated"
  | "keyspace.created"
  | "keyspace.updated"
  | "keyspace.deleted"
  | "key.created"
  | "key.imported"
  | "key.updated"
  | "key.disabled"
  | "key.enabled"
  | "key.rotated"
  | "key.rotation_completed"
  | "key.revoked"
  | "key.deleted";

/** How a resource was at a moment. */
export type Snapshot =
  | { readonly type: "tenant"; readonly tenant: Tenant }
  | { readonly type: "keyspace"; readonly keyspace: Keyspace }
  | { readonly type: "key"; readonly key: Key };

export interface Target {
  readonly type: "tenant" | "keyspace" | "key";
  readonly id: string;
}

/** What a change says of itself. The transaction adds who, from where and when. */
export interface EventDraft {
  readonly type: EventType;
  readonly before: Snapshot | null;
  readonly after: Snapshot | null;
  readonly reason?: RevokeReason;
  readonly reasonText?: string;
}

/** One change, as the log keeps it. Never holds a secret or a digest. */
export interface Event extends Required<EventDraft> {
  readonly id: string;
  /** Its place in the tenant's log, from 1 on without gaps, in the order of commits. */
  readonly sequence: number;
  readonly time: UnixMs;
  readonly actorType: string;
  readonly actorId: string;
  /** The thing itself first, then what it belongs to. */
  readonly targets: readonly Target[];
  readonly address: string;
  readonly userAgent: string;
  readonly callId: string;
}

export function keySnapshot(key: Key): Snapshot {
  return { type: "key", key };
}

export function keyspaceSnapshot(keyspace: Keyspace): Snapshot {
  return { type: "keyspace", keyspace };
}

export function tenantSnapshot(tenant: Tenant): Snapshot {
  return { type: "tenant", tenant };
}

/** What a snapshot is of, and what that belongs to. */
export function targetsOf(snapshot: Snapshot): readonly Target[] {
  switch (snapshot.type) {
    case "tenant":
      return [{ type: "tenant", id: snapshot.tenant.id }];
    case "keyspace":
      return [{ type: "keyspace", id: snapshot.keyspace.id }];
    case "key":
      return [
        { type: "key", id: snapshot.key.id },
        { type: "keyspace", id: snapshot.key.keyspaceId },
      ];
  }
}
