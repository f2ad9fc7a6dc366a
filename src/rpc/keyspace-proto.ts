import { create } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { RevocationMode } from "../coherence/mode.ts";
import { etagOf } from "../etag.ts";
import {
  type Keyspace as KeyspaceProto,
  KeyspaceSchema,
  RevocationMode as ModeNumber,
} from "../gen/clavis/v1/keyspace_pb.ts";
import type { CreateKeyspaceRequest } from "../gen/clavis/v1/keyspace_service_pb.ts";
import type { Keyspace, KeyspacePolicy } from "../keyspaces/keyspace.ts";
import { type Changeable, changesIn } from "./field-mask.ts";
import { optionalDurationFromProto, optionalDurationToProto, timeToProto } from "./time-proto.ts";

export function keyspaceToProto(keyspace: Keyspace): KeyspaceProto {
  return create(KeyspaceSchema, {
    id: keyspace.id,
    displayName: keyspace.displayName,
    prefix: keyspace.prefix,
    earlierPrefixes: [...keyspace.earlierPrefixes],
    ...optionalDurationToProto("defaultTtl", keyspace.defaultTtlMs),
    ...optionalDurationToProto("maxTtl", keyspace.maxTtlMs),
    grantablePermissions: [...keyspace.grantablePermissions],
    disabled: keyspace.disabled,
    management: keyspace.management,
    revocationMode: modeNumbers[keyspace.revocationMode],
    etag: etagOf(keyspace),
    createTime: timeToProto(keyspace.createTime),
    updateTime: timeToProto(keyspace.updateTime),
  });
}

export function policyFromProto(req: CreateKeyspaceRequest): KeyspacePolicy {
  return {
    displayName: req.displayName,
    prefix: req.prefix,
    defaultTtlMs: optionalDurationFromProto(req.defaultTtl),
    maxTtlMs: optionalDurationFromProto(req.maxTtl),
    grantablePermissions: req.grantablePermissions,
    disabled: false,
    revocationMode: modeFromProto(req.revocationMode),
  };
}

/** What an update says of the policy. */
export function policyChangesFromProto(keyspace: KeyspaceProto, mask: FieldMask | undefined): Partial<KeyspacePolicy> {
  return changesIn(KeyspaceSchema, keyspace, mask, changeable);
}

const changeable: Changeable<KeyspaceProto, KeyspacePolicy> = {
  display_name: ({ displayName }) => ({ displayName }),
  prefix: ({ prefix }) => ({ prefix }),
  default_ttl: ({ defaultTtl }) => ({ defaultTtlMs: optionalDurationFromProto(defaultTtl) }),
  max_ttl: ({ maxTtl }) => ({ maxTtlMs: optionalDurationFromProto(maxTtl) }),
  grantable_permissions: ({ grantablePermissions }) => ({ grantablePermissions }),
  disabled: ({ disabled }) => ({ disabled }),
  revocation_mode: ({ revocationMode }) => ({ revocationMode: modeFromProto(revocationMode) }),
};

const modeNumbers: Record<RevocationMode, ModeNumber> = {
  available: ModeNumber.AVAILABLE,
  strict: ModeNumber.STRICT,
};

function modeFromProto(mode: ModeNumber): RevocationMode {
  return mode === ModeNumber.STRICT ? "strict" : "available";
}
