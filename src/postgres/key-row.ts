import type { Insertable, Selectable } from "kysely";
import type { Key } from "../keys/key.ts";
import { fromUuid, toOptionalTime, toTime, toUuid } from "./columns.ts";
import type { KeyTable } from "./schema.ts";

// Named, never `*`: this must run while a migration adds one.
export const keyColumns = [
  "tenant_id",
  "keyspace_id",
  "key_id",
  "display_name",
  "owner_id",
  "permissions",
  "allowed_keyspace_ids",
  "allowed_addresses",
  "metadata",
  "expire_time",
  "not_before_time",
  "disabled",
  "revoke_time",
  "revoke_reason",
  "revoke_reason_text",
  "revoke_actor_type",
  "revoke_actor_id",
  "imported",
  "masked_secret",
  "secret_create_time",
  "previous_masked_secret",
  "overlap_end_time",
  "version",
  "create_time",
  "update_time",
] as const;

export function keyToRow(key: Key): Insertable<KeyTable> {
  const { revocation, rotation } = key;
  return {
    tenant_id: toUuid("ten", key.tenantId),
    keyspace_id: toUuid("ks", key.keyspaceId),
    key_id: toUuid("key", key.id),
    display_name: key.displayName,
    owner_id: key.ownerId,
    permissions: key.permissions,
    allowed_keyspace_ids: key.allowedKeyspaceIds.map((id) => toUuid("ks", id)),
    allowed_addresses: key.allowedAddresses,
    metadata: key.metadata,
    expire_time: toOptionalTime(key.expireTime),
    not_before_time: toOptionalTime(key.notBeforeTime),
    disabled: key.disabled,
    revoke_time: toOptionalTime(revocation?.time ?? null),
    revoke_reason: revocation?.reason ?? null,
    revoke_reason_text: revocation?.reasonText ?? null,
    revoke_actor_type: revocation?.actorType ?? null,
    revoke_actor_id: revocation?.actorId ?? null,
    imported: key.imported,
    masked_secret: key.maskedSecret,
    secret_create_time: toTime(key.secretCreateTime),
    previous_masked_secret: rotation?.previousMaskedSecret ?? null,
    overlap_end_time: toOptionalTime(rotation?.overlapEndTime ?? null),
    version: key.version,
    create_time: toTime(key.createTime),
    update_time: toTime(key.updateTime),
  };
}

export function keyFromRow(row: Selectable<KeyTable>): Key {
  return {
    id: fromUuid("key", row.key_id),
    tenantId: fromUuid("ten", row.tenant_id),
    keyspaceId: fromUuid("ks", row.keyspace_id),
    displayName: row.display_name,
    ownerId: row.owner_id,
    permissions: row.permissions,
    allowedKeyspaceIds: row.allowed_keyspace_ids.map((uuid) => fromUuid("ks", uuid)),
    allowedAddresses: row.allowed_addresses,
    metadata: row.metadata,
    expireTime: row.expire_time,
    notBeforeTime: row.not_before_time,
    disabled: row.disabled,
    revocation: revocationFromRow(row),
    imported: row.imported,
    maskedSecret: row.masked_secret,
    secretCreateTime: row.secret_create_time,
    rotation: rotationFromRow(row),
    version: row.version,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}

function revocationFromRow(row: Selectable<KeyTable>): Key["revocation"] {
  if (row.revoke_time === null) return null;
  return {
    time: row.revoke_time,
    reason: row.revoke_reason ?? "unspecified",
    reasonText: row.revoke_reason_text ?? "",
    actorType: row.revoke_actor_type ?? "",
    actorId: row.revoke_actor_id ?? "",
  };
}

function rotationFromRow(row: Selectable<KeyTable>): Key["rotation"] {
  if (row.overlap_end_time === null) return null;
  return { previousMaskedSecret: row.previous_masked_secret ?? "", overlapEndTime: row.overlap_end_time };
}
