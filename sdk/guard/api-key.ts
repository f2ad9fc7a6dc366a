import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { VerifiedKey, VerifyResponse } from "../gen/clavis/v1/verify_service_pb.ts";
import { compilePermissions } from "../rules/index.ts";

/** What a request's handlers know of the key that it came with. Never the secret. */
export interface ApiKey {
  /** `key_...`, not secret. */
  readonly keyId: string;
  readonly keyspaceId: string;
  /** Who the key identifies, in the words of the keyspace's own system; empty where nobody in particular. */
  readonly ownerId: string;
  /** What people call the key. */
  readonly displayName: string;
  /** What it may do, wildcards included. `has` understands them. */
  readonly permissions: readonly string[];
  /** What the key's maker attached to it. */
  readonly metadata: JsonObject;
  /** When it expires; undefined: never. */
  readonly expireTime: Date | undefined;
  /**
   * Whether this is what was known of the key up to 60 s ago, since the service could not look it up: for what should rather
   * wait than go to a key that has just been revoked.
   */
  readonly degraded: boolean;
  /** Whether the key has `permission`, wildcards considered. */
  has(permission: string): boolean;
}

/** The key of a verdict, and how far that can be relied on. */
export function apiKeyFrom(key: VerifiedKey, { degraded }: Pick<VerifyResponse, "degraded">): ApiKey {
  const { id, keyspaceId, ownerId, displayName, permissions, metadata, expireTime } = key;
  const held = compilePermissions(permissions);
  return Object.freeze({
    keyId: id,
    keyspaceId,
    ownerId,
    displayName,
    permissions: Object.freeze([...permissions]),
    metadata: metadata ?? {},
    expireTime: expireTime && timestampDate(expireTime),
    degraded,
    has: (permission: string) => held.has(permission),
  });
}
