import { isPermission, isPrefix } from "@clavis/sdk/rules";
import type { KeyspaceMode, RevocationMode } from "../coherence/mode.ts";
import { invalidField } from "../errors.ts";
import type { UnixMs } from "../time.ts";

/** The keys of one API in one environment, and the policy that they share. */
export interface Keyspace {
  readonly id: string;
  readonly tenantId: string;
  readonly displayName: string;
  readonly prefix: string;
  /** Those that it had before, oldest first. */
  readonly earlierPrefixes: readonly string[];
  /** The lifetime of a key that asks for none; null for `maxTtlMs`. */
  readonly defaultTtlMs: number | null;
  /** Null for no limit. */
  readonly maxTtlMs: number | null;
  /** Wildcards allowed; empty for any. */
  readonly grantablePermissions: readonly string[];
  readonly disabled: boolean;
  /** What goes first while Postgres does not answer. */
  readonly revocationMode: RevocationMode;
  /** The version that the mode came with. */
  readonly modeVersion: number;
  /** Whether nobody can take it for one of the other mode any more. Postgres's to tell, when enough time has passed. */
  readonly modeSettled: boolean;
  /** The tenant's reserved keyspace, whose keys call Clavis itself. */
  readonly management: boolean;
  /** Grows with each change. */
  readonly version: number;
  readonly createTime: UnixMs;
  readonly updateTime: UnixMs;
}

/** How what is taken away in the keyspace is waited for, and what may answer while Postgres does not. */
export function modeOf({ revocationMode, modeSettled }: Keyspace): KeyspaceMode {
  return { mode: revocationMode, settled: modeSettled };
}

/** What a caller may decide about a keyspace. */
export type KeyspacePolicy = Pick<
  Keyspace,
  "displayName" | "prefix" | "defaultTtlMs" | "maxTtlMs" | "grantablePermissions" | "disabled" | "revocationMode"
>;

/** Secrets of management keys begin with this; customers' prefixes do not begin like it. */
export const MANAGEMENT_PREFIX = "clavis_mgmt";
const RESERVED_PREFIX = /^clavis(_|$)/;

/** A keyspace that changes its prefix more often than this keeps the latest; what was issued before stays valid all the same. */
const EARLIER_PREFIXES_MAX = 32;

/** Throws INVALID_REQUEST for what the contract's constraints cannot say. `path` stands before the fields' names. */
export function checkPolicy(policy: KeyspacePolicy, path = ""): void {
  if (policy.displayName === "") throw invalidField(`${path}display_name`, "must not be empty");
  if (!isPrefix(policy.prefix)) {
    throw invalidField(`${path}prefix`, "must be 2 to 32 of [a-z0-9_], and neither begin nor end with an underscore");
  }
  if (RESERVED_PREFIX.test(policy.prefix)) throw invalidField(`${path}prefix`, "is reserved for Clavis's own keys");
  if (policy.defaultTtlMs !== null && policy.maxTtlMs !== null && policy.defaultTtlMs > policy.maxTtlMs) {
    throw invalidField(`${path}default_ttl`, "must not exceed max_ttl");
  }
  policy.grantablePermissions.forEach((permission, index) => {
    if (!isPermission(permission)) throw invalidField(`${path}grantable_permissions[${index}]`, "is no permission");
  });
}

/** The keyspace after a change of its policy. Its earlier prefixes remember the one that goes. */
export function changePolicy(keyspace: Keyspace, changes: Partial<KeyspacePolicy>, now: UnixMs): Keyspace {
  const version = keyspace.version + 1;
  const changed = { ...keyspace, ...changes, version, updateTime: now };
  const modeChanges = changed.revocationMode !== keyspace.revocationMode;
  const settled = modeChanges ? { ...changed, modeVersion: version, modeSettled: false } : changed;
  return withEarlierPrefix(keyspace, settled);
}

function withEarlierPrefix(keyspace: Keyspace, changed: Keyspace): Keyspace {
  if (changed.prefix === keyspace.prefix) return changed;
  const earlier = keyspace.earlierPrefixes.filter((prefix) => prefix !== changed.prefix);
  return { ...changed, earlierPrefixes: [...earlier, keyspace.prefix].slice(-EARLIER_PREFIXES_MAX) };
}
