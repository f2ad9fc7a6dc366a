import { type CidrResult, canonicalCidr, compilePermissions, grants, isPermission, parseCidr } from "@clavis/sdk/rules";
import { managementPermissions } from "../access/permissions.ts";
import { type Rights, rightsOf } from "../access/rights.ts";
import { DomainError, invalidField } from "../errors.ts";
import { depthOf } from "../json.ts";
import type { Keyspace } from "../keyspaces/keyspace.ts";
import type { UnixMs } from "../time.ts";
import type { Key, KeyTerms } from "./key.ts";

/** What is asked for a new key; its end as a point in time, as a lifetime, or left to the keyspace. */
export interface KeyDraft extends Omit<KeyTerms, "expireTime"> {
  readonly expiry: { readonly time: UnixMs } | { readonly ttlMs: number } | undefined;
}

const METADATA_BYTES_MAX = 4096;
const METADATA_DEPTH_MAX = 4;

/**
 * The terms of a key made now under the policy of its keyspace. `path` stands before the names of fields in what is thrown:
 * INVALID_REQUEST, PERMISSION_NOT_GRANTABLE, EXPIRY_OUTSIDE_POLICY.
 */
export function termsOf(draft: KeyDraft, keyspace: Keyspace, now: UnixMs, path = ""): KeyTerms {
  const { expiry, ...rest } = draft;
  const terms = checkTerms({ ...rest, expireTime: expiryOf(expiry, keyspace, now) }, path);
  checkGrantable(terms.permissions, keyspace, path);
  checkManagement(terms, keyspace, path);
  const field = expiry !== undefined && "ttlMs" in expiry ? "ttl" : "expire_time";
  checkExpiry(terms, keyspace, { from: now, now, field: `${path}${field}` });
  return terms;
}

/**
 * The terms of a key after a change. Only what differs is held against the policy: narrowing that breaks no key that exists.
 * Throws as `termsOf` does.
 */
export function changedTerms(key: Key, changes: Partial<KeyTerms>, keyspace: Keyspace, now: UnixMs): KeyTerms {
  const path = "key.";
  const terms = checkTerms({ ...onlyTerms(key), ...changes }, path);
  const held = compilePermissions(key.permissions);
  checkGrantable(
    terms.permissions.filter((permission) => !held.has(permission)),
    keyspace,
    path,
  );
  checkManagement(terms, keyspace, path);
  if (terms.expireTime !== key.expireTime) {
    checkExpiry(terms, keyspace, { from: key.secretCreateTime, now, field: `${path}expire_time` });
  }
  return terms;
}

/** What a management key with these terms may do. */
export function rightsFrom(
  terms: Pick<KeyTerms, "permissions" | "allowedKeyspaceIds" | "allowedAddresses" | "expireTime">,
): Rights {
  return rightsOf({
    permissions: terms.permissions,
    keyspaceIds: terms.allowedKeyspaceIds,
    addresses: terms.allowedAddresses.flatMap((text) => cidrsOf(parseCidr(text))),
    expireTime: terms.expireTime,
  });
}

function onlyTerms(key: Key): KeyTerms {
  const {
    displayName,
    ownerId,
    permissions,
    allowedKeyspaceIds,
    allowedAddresses,
    metadata,
    expireTime,
    notBeforeTime,
  } = key;
  return {
    displayName,
    ownerId,
    permissions,
    allowedKeyspaceIds,
    allowedAddresses,
    metadata,
    expireTime,
    notBeforeTime,
  };
}

function checkTerms(terms: KeyTerms, path: string): KeyTerms {
  if (terms.displayName === "") throw invalidField(`${path}display_name`, "must not be empty");
  terms.permissions.forEach((permission, index) => {
    if (!isPermission(permission))
      throw invalidField(`${path}permissions[${index}]`, "is no permission, such as documents.read or documents.*");
  });
  if (Buffer.byteLength(JSON.stringify(terms.metadata)) > METADATA_BYTES_MAX) {
    throw invalidField(`${path}metadata`, `must be at most ${METADATA_BYTES_MAX} bytes as JSON`);
  }
  if (depthOf(terms.metadata, METADATA_DEPTH_MAX) > METADATA_DEPTH_MAX) {
    throw invalidField(`${path}metadata`, `must be nested at most ${METADATA_DEPTH_MAX} deep`);
  }
  if (terms.notBeforeTime !== null && terms.expireTime !== null && terms.notBeforeTime >= terms.expireTime) {
    throw invalidField(`${path}not_before_time`, "must be before the expiry");
  }
  return { ...terms, allowedAddresses: canonicalAddresses(terms.allowedAddresses, path) };
}

function canonicalAddresses(addresses: readonly string[], path: string): readonly string[] {
  const canonical = addresses.map((text, index) => {
    const result = parseCidr(text);
    if (!result.ok) throw invalidField(`${path}allowed_addresses[${index}]`, result.problem);
    return canonicalCidr(result.cidr);
  });
  return [...new Set(canonical)];
}

function checkGrantable(permissions: readonly string[], keyspace: Keyspace, path: string): void {
  if (keyspace.grantablePermissions.length === 0) return;
  const grantable = compilePermissions(keyspace.grantablePermissions);
  const beyond = permissions.filter((permission) => !grantable.has(permission));
  if (beyond.length > 0)
    throw new DomainError({ reason: "PERMISSION_NOT_GRANTABLE", fields: [`${path}permissions`], permissions: beyond });
}

function checkManagement({ permissions, allowedKeyspaceIds }: KeyTerms, { management }: Keyspace, path: string): void {
  if (!management && allowedKeyspaceIds.length > 0) {
    throw invalidField(`${path}allowed_keyspace_ids`, "is for management keys only");
  }
  const known = Object.keys(managementPermissions);
  permissions.forEach((permission, index) => {
    if (management && !known.some((one) => grants(permission, one))) {
      throw invalidField(`${path}permissions[${index}]`, "is no permission of Clavis, and covers none");
    }
  });
}

/** `from` is what the longest lifetime counts from, `field` what the caller gave. */
function checkExpiry(
  terms: KeyTerms,
  keyspace: Keyspace,
  { from, now, field }: { from: UnixMs; now: UnixMs; field: string },
): void {
  const latest = keyspace.maxTtlMs === null ? null : from + keyspace.maxTtlMs;
  const beyond = latest !== null && (terms.expireTime === null || terms.expireTime > latest);
  const past = terms.expireTime !== null && terms.expireTime <= now;
  if (beyond || past) throw new DomainError({ reason: "EXPIRY_OUTSIDE_POLICY", fields: [field], latest });
}

function expiryOf(expiry: KeyDraft["expiry"], keyspace: Keyspace, now: UnixMs): UnixMs | null {
  if (expiry === undefined) {
    const ttlMs = keyspace.defaultTtlMs ?? keyspace.maxTtlMs;
    return ttlMs === null ? null : now + ttlMs;
  }
  return "time" in expiry ? expiry.time : now + expiry.ttlMs;
}

function cidrsOf(result: CidrResult) {
  return result.ok ? [result.cidr] : [];
}
