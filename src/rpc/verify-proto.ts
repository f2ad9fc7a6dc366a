import { create } from "@bufbuild/protobuf";
import type { Outcome as DomainOutcome, PermissionQuery } from "@clavis/sdk/rules";
import {
  Outcome,
  type PermissionQuery as QueryProto,
  type VerifyRequest as RequestProto,
  type VerifiedKey,
  VerifiedKeySchema,
  type VerifyResponse,
  VerifyResponseSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { Secret } from "../secret.ts";
import type { KnownSecret } from "../verify/known-secret.ts";
import type { VerifyAnswer, VerifyRequest } from "../verify/verify-service.ts";
import { optionalTimeToProto } from "./time-proto.ts";

/** Each outcome in the contract's number and in words for logs. */
const outcomes: Record<DomainOutcome, readonly [Outcome, string]> = {
  malformed: [Outcome.MALFORMED, "this cannot be a secret"],
  not_found: [Outcome.NOT_FOUND, "no such secret"],
  wrong_keyspace: [Outcome.WRONG_KEYSPACE, "a secret of another keyspace"],
  revoked: [Outcome.REVOKED, "the key was revoked"],
  rotated: [Outcome.ROTATED, "the key has a newer secret"],
  expired: [Outcome.EXPIRED, "the key has expired"],
  not_yet_valid: [Outcome.NOT_YET_VALID, "the key is not valid yet"],
  disabled: [Outcome.DISABLED, "the key is switched off"],
  owner_disabled: [Outcome.OWNER_DISABLED, "the key's owner is switched off"],
  keyspace_disabled: [Outcome.KEYSPACE_DISABLED, "the keyspace is switched off"],
  tenant_suspended: [Outcome.TENANT_SUSPENDED, "the tenant is suspended"],
  address_denied: [Outcome.ADDRESS_DENIED, "the key may not be used from this address"],
  insufficient_permissions: [Outcome.INSUFFICIENT_PERMISSIONS, "the key lacks permissions"],
  rate_limited: [Outcome.RATE_LIMITED, "a rate limit was reached"],
  credits_exhausted: [Outcome.CREDITS_EXHAUSTED, "the credits are used up"],
  valid: [Outcome.VALID, "the key may be used"],
};

export function verifyFromProto(req: RequestProto): VerifyRequest {
  return {
    secret: new Secret(req.secret),
    keyspaceId: req.keyspaceId,
    permissions: req.permissions,
    query: req.query && queryFromProto(req.query),
    clientIp: req.clientIp,
  };
}

export function verifyToProto({ outcome, missingPermissions, known, degraded }: VerifyAnswer): VerifyResponse {
  const [code, message] = outcomes[outcome];
  return create(VerifyResponseSchema, {
    outcome: code,
    message,
    missingPermissions: [...missingPermissions],
    degraded,
    ...(known && { key: verifiedKeyToProto(known) }),
  });
}

/** What is told of a key. */
export function verifiedKeyToProto({ record, facts }: KnownSecret): VerifiedKey {
  return create(VerifiedKeySchema, {
    id: facts.keyId,
    keyspaceId: facts.keyspaceId,
    ownerId: facts.ownerId,
    displayName: facts.displayName,
    permissions: [...facts.permissions],
    metadata: facts.metadata as never,
    ...optionalTimeToProto("expireTime", record.expireTime),
    ...optionalTimeToProto("secretStopTime", record.secretStopTime || null),
  });
}

/** The contract says that one of the conditions is there, and the decoder bounds how deep they are nested. */
function queryFromProto({ condition }: QueryProto): PermissionQuery {
  switch (condition.case) {
    case "permission":
      return { permission: condition.value };
    case "allOf":
      return { allOf: condition.value.queries.map(queryFromProto) };
    case "anyOf":
      return { anyOf: condition.value.queries.map(queryFromProto) };
    case undefined:
      return { allOf: [] };
  }
}
