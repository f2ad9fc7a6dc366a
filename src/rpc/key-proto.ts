import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { KeyState as DomainState } from "@clavis/sdk/rules";
import { invalidField } from "../errors.ts";
import { etagOf } from "../etag.ts";
import { type Key as KeyProto, KeySchema, KeyState, RevokeReason } from "../gen/clavis/v1/key_pb.ts";
import type {
  CreateKeyRequest,
  ImportedKey,
  KeyFilter as KeyFilterProto,
  KeySpec,
} from "../gen/clavis/v1/key_service_pb.ts";
import type { JsonObject } from "../json.ts";
import { type RevokeReason as DomainReason, type Key, type KeyTerms, stateOf } from "../keys/key.ts";
import type { ImportDraft } from "../keys/key-issuance.ts";
import type { KeyFilter, KeyOrder } from "../keys/key-store.ts";
import type { KeyDraft } from "../keys/key-terms.ts";
import type { UnixMs } from "../time.ts";
import { type Changeable, changesIn } from "./field-mask.ts";
import {
  durationFromProto,
  optionalTimeFromProto,
  optionalTimeToProto,
  timeFromProto,
  timeToProto,
} from "./time-proto.ts";

const states: Record<DomainState, KeyState> = {
  active: KeyState.ACTIVE,
  disabled: KeyState.DISABLED,
  not_yet_valid: KeyState.NOT_YET_VALID,
  expired: KeyState.EXPIRED,
  revoked: KeyState.REVOKED,
};

const reasons: Record<DomainReason, RevokeReason> = {
  unspecified: RevokeReason.UNSPECIFIED,
  compromised: RevokeReason.COMPROMISED,
  superseded: RevokeReason.SUPERSEDED,
  unused: RevokeReason.UNUSED,
  policy_violation: RevokeReason.POLICY_VIOLATION,
  holder_request: RevokeReason.HOLDER_REQUEST,
  other: RevokeReason.OTHER,
};

/** The key as it is at `now`: its state and whether a rotation is under way depend on it. */
export function keyToProto(key: Key, now: UnixMs): KeyProto {
  const { revocation, rotation } = key;
  const init: MessageInitShape<typeof KeySchema> = {
    id: key.id,
    keyspaceId: key.keyspaceId,
    displayName: key.displayName,
    maskedSecret: key.maskedSecret,
    state: states[stateOf(key, now)],
    ownerId: key.ownerId,
    permissions: [...key.permissions],
    allowedKeyspaceIds: [...key.allowedKeyspaceIds],
    allowedAddresses: [...key.allowedAddresses],
    metadata: key.metadata as MessageInitShape<typeof KeySchema>["metadata"] & JsonObject,
    ...optionalTimeToProto("expireTime", key.expireTime),
    ...optionalTimeToProto("notBeforeTime", key.notBeforeTime),
    imported: key.imported,
    etag: etagOf(key),
    createTime: timeToProto(key.createTime),
    updateTime: timeToProto(key.updateTime),
    secretCreateTime: timeToProto(key.secretCreateTime),
  };
  if (rotation !== null && rotation.overlapEndTime > now) {
    const overlapEndTime = timeToProto(rotation.overlapEndTime);
    init.rotation = { previousMaskedSecret: rotation.previousMaskedSecret, overlapEndTime };
  }
  if (revocation !== null) {
    init.revocation = { ...revocation, time: timeToProto(revocation.time), reason: reasonToProto(revocation.reason) };
  }
  return create(KeySchema, init);
}

/** What a new key is to be. `path` stands before the names of fields in what is thrown. */
export function draftFromProto(spec: CreateKeyRequest | KeySpec, path = ""): KeyDraft {
  return {
    displayName: spec.displayName,
    ownerId: spec.ownerId,
    permissions: spec.permissions,
    allowedKeyspaceIds: spec.allowedKeyspaceIds,
    allowedAddresses: spec.allowedAddresses,
    metadata: (spec.metadata ?? {}) as JsonObject,
    expiry: expiryFromProto(spec.expiry, path),
    notBeforeTime: optionalTimeFromProto(spec.notBeforeTime, `${path}not_before_time`),
  };
}

export function importFromProto({ digest, maskedSecret, spec }: ImportedKey, index: number): ImportDraft {
  const path = `keys[${index}].spec.`;
  // The contract requires `spec`.
  if (spec === undefined) throw invalidField(path, "is required");
  return { digest: digestFromText(digest, `keys[${index}].digest`), maskedSecret, draft: draftFromProto(spec, path) };
}

/** What an update says of the terms. */
export function termChangesFromProto(key: KeyProto, mask: FieldMask | undefined): Partial<KeyTerms> {
  return changesIn(KeySchema, key, mask, changeable);
}

const changeable: Changeable<KeyProto, KeyTerms> = {
  display_name: ({ displayName }) => ({ displayName }),
  owner_id: ({ ownerId }) => ({ ownerId }),
  permissions: ({ permissions }) => ({ permissions }),
  allowed_keyspace_ids: ({ allowedKeyspaceIds }) => ({ allowedKeyspaceIds }),
  allowed_addresses: ({ allowedAddresses }) => ({ allowedAddresses }),
  metadata: ({ metadata }) => ({ metadata: (metadata ?? {}) as JsonObject }),
  expire_time: ({ expireTime }) => ({ expireTime: optionalTimeFromProto(expireTime, "key.expire_time") }),
  not_before_time: ({ notBeforeTime }) => ({
    notBeforeTime: optionalTimeFromProto(notBeforeTime, "key.not_before_time"),
  }),
};

export function filterFromProto(filter: KeyFilterProto | undefined): KeyFilter {
  return {
    states: filter?.states.flatMap((state) => keysOf(states, state)) ?? [],
    ownerId: filter?.ownerId ?? "",
    expireAfterTime: optionalTimeFromProto(filter?.expireAfterTime, "filter.expire_after_time"),
    expireBeforeTime: optionalTimeFromProto(filter?.expireBeforeTime, "filter.expire_before_time"),
    prefix: filter?.prefix ?? "",
    text: filter?.text ?? "",
  };
}

/** Of a text that the contract has checked; empty for the newest first. */
export function orderFromProto(orderBy: string): { order: KeyOrder; descending: boolean } {
  const [order = "", direction] = (orderBy || "create_time desc").split(" ");
  return { order: order as KeyOrder, descending: direction === "desc" };
}

export function reasonToProto(reason: DomainReason): RevokeReason {
  return reasons[reason];
}

export function reasonFromProto(reason: RevokeReason): DomainReason {
  return keysOf(reasons, reason)[0] ?? "unspecified";
}

function expiryFromProto(expiry: KeySpec["expiry"], path: string): KeyDraft["expiry"] {
  switch (expiry.case) {
    case "expireTime":
      return { time: timeFromProto(expiry.value, `${path}expire_time`) };
    case "ttl":
      return { ttlMs: durationFromProto(expiry.value) };
    case undefined:
      return undefined;
  }
}

const SHA256_BYTES = 32;

/** Hexadecimal digits of what is written in these, or in either base64 alphabet. */
function digestFromText(text: string, field: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== SHA256_BYTES) throw invalidField(field, "must be a SHA-256 in hexadecimal digits or base64");
  return bytes.toString("hex");
}

function keysOf<Name extends string, Value>(table: Readonly<Record<Name, Value>>, value: Value): Name[] {
  return (Object.keys(table) as Name[]).filter((name) => table[name] === value);
}
