import type { ColumnType, Generated } from "kysely";
import type { RevocationMode } from "../coherence/mode.ts";
import type { JsonObject } from "../json.ts";
import type { RevokeReason } from "../keys/key.ts";

/** Written as dates, read as Unix milliseconds. */
type Time = ColumnType<number, Date, Date>;
type OptionalTime = ColumnType<number | null, Date | null, Date | null>;

/** The tables as kysely sees them. Ids are UUIDs here; digests are bytes; times are Unix milliseconds when read. */
export interface Schema {
  "clavis.tenants": TenantTable;
  "clavis.keyspaces": KeyspaceTable;
  "clavis.keys": KeyTable;
  "clavis.key_secrets": KeySecretTable;
  "clavis.audit_heads": AuditHeadTable;
  "clavis.audit_events": AuditEventTable;
  "clavis.replays": ReplayTable;
  "clavis.changes": ChangeTable;
}

export interface TenantTable {
  tenant_id: string;
  display_name: string;
  suspended: boolean;
  management_keyspace_id: string;
  version: number;
  create_time: Time;
  update_time: Time;
}

export interface KeyspaceTable {
  tenant_id: string;
  keyspace_id: string;
  display_name: string;
  prefix: string;
  earlier_prefixes: readonly string[];
  default_ttl_ms: number | null;
  max_ttl_ms: number | null;
  grantable_permissions: readonly string[];
  disabled: boolean;
  management: boolean;
  revocation_mode: RevocationMode;
  mode_version: number;
  mode_settled: boolean;
  version: number;
  create_time: Time;
  update_time: Time;
}

export interface KeyTable {
  tenant_id: string;
  keyspace_id: string;
  key_id: string;
  display_name: string;
  owner_id: string;
  permissions: readonly string[];
  allowed_keyspace_ids: readonly string[];
  allowed_addresses: readonly string[];
  metadata: JsonObject;
  expire_time: OptionalTime;
  not_before_time: OptionalTime;
  disabled: boolean;
  revoke_time: OptionalTime;
  revoke_reason: RevokeReason | null;
  revoke_reason_text: string | null;
  revoke_actor_type: string | null;
  revoke_actor_id: string | null;
  imported: boolean;
  masked_secret: string;
  secret_create_time: Time;
  previous_masked_secret: string | null;
  overlap_end_time: OptionalTime;
  version: number;
  create_time: Time;
  update_time: Time;
}

export interface KeySecretTable {
  tenant_id: string;
  key_id: string;
  digest: Uint8Array;
  stop_time: OptionalTime;
}

export interface AuditHeadTable {
  tenant_id: string;
  sequence: number;
  time: Time;
}

export interface AuditEventTable {
  tenant_id: string;
  sequence: number;
  event_id: string;
  time: Time;
  type: string;
  actor_type: string;
  actor_id: string;
  target_id: string;
  keyspace_id: string | null;
  call_id: string;
  content: JsonObject;
}

export interface ReplayTable {
  tenant_id: string;
  principal: string;
  id_digest: Uint8Array;
  fingerprint: Uint8Array;
  sealed_answer: Uint8Array | null;
  /** Set by Postgres, whose clock alone decides how long a replay is kept. */
  create_time: ColumnType<number, never, unknown>;
  /** The change that the answer reported; null for one that takes nothing away. */
  effect_timeline: string | null;
  effect_xid: string | null;
  effect_mode: RevocationMode | null;
}

export interface ChangeTable {
  /** An xid8, in decimal digits. */
  xid: Generated<string>;
  kind: string;
  entity_id: string;
  version: number;
}
