import { type Cidr, canonicalCidr, cidrWithin, compilePermissions, type PermissionSet } from "@clavis/sdk/rules";
import { DomainError } from "../errors.ts";
import type { UnixMs } from "../time.ts";
import type { KeyAction, KeyspaceAction, ManagementPermission } from "./permissions.ts";

/** What a principal may do within its tenant. */
export interface Rights {
  /** As granted, wildcards included. */
  readonly permissions: readonly string[];
  readonly held: PermissionSet;
  /** The keyspaces that they are held to; empty for all. */
  readonly keyspaceIds: readonly string[];
  /** Where they may be used from; empty for anywhere. */
  readonly addresses: readonly Cidr[];
  /** When they end; null for never. */
  readonly expireTime: UnixMs | null;
}

/** What the rules need to know of a keyspace. */
interface Place {
  readonly id: string;
  readonly management: boolean;
}

/** What the rules need to know of a key. */
interface Thing {
  readonly id: string;
  /** Of a management key: the keyspaces that its rights are held to; empty for all. */
  readonly allowedKeyspaceIds: readonly string[];
}

export function rightsOf(grant: Omit<Rights, "held">): Rights {
  return { ...grant, held: compilePermissions(grant.permissions) };
}

/** Rights without a bound: the operator's, and the service's own. */
export const unlimitedRights: Rights = rightsOf({
  permissions: ["*"],
  keyspaceIds: [],
  addresses: [],
  expireTime: null,
});

/** Throws PERMISSION_MISSING unless `permission` is held, for whatever keyspaces. */
export function need(rights: Rights, permission: ManagementPermission): void {
  if (!rights.held.has(permission)) throw new DomainError({ reason: "PERMISSION_MISSING", permission });
}

/** Throws PERMISSION_MISSING unless `permission` is held for the whole tenant. */
export function needEverywhere(rights: Rights, permission: ManagementPermission): void {
  need(rights, permission);
  if (rights.keyspaceIds.length > 0) throw new DomainError({ reason: "PERMISSION_MISSING", permission });
}

/** Throws PERMISSION_MISSING unless the action is allowed on customers' keys or on management keys. Before any look-up. */
export function needKeyAction(rights: Rights, action: KeyAction): void {
  const permission = `clavis.keys.${action}` as const;
  if (!rights.held.has(permission) && !rights.held.has(`clavis.management_keys.${action}`)) {
    throw new DomainError({ reason: "PERMISSION_MISSING", permission });
  }
}

/** Whether the keyspace exists for this caller. The reserved one does for who may do anything at all with management keys. */
export function seesKeyspace(rights: Rights, keyspace: Place): boolean {
  return keyspace.management ? seesManagementKeys(rights) : reaches(rights, [keyspace.id]);
}

/** Whether the key exists for this caller: a management key does if all that it is held to does. */
export function seesKey(rights: Rights, keyspace: Place, key: Thing): boolean {
  return seesKeyspace(rights, keyspace) && (!keyspace.management || reaches(rights, key.allowedKeyspaceIds));
}

/** Throws KEYSPACE_NOT_FOUND where the caller may not see it, then PERMISSION_MISSING where it may not do this to it. */
export function authorizeKeyspace(rights: Rights, action: KeyspaceAction, keyspace: Place): void {
  if (!seesKeyspace(rights, keyspace)) throw new DomainError({ reason: "KEYSPACE_NOT_FOUND", keyspaceId: keyspace.id });
  need(rights, `clavis.keyspaces.${action}`);
}

/** The same for making keys in a keyspace. */
export function authorizeKeysIn(rights: Rights, action: KeyAction, keyspace: Place): void {
  if (!seesKeyspace(rights, keyspace)) throw new DomainError({ reason: "KEYSPACE_NOT_FOUND", keyspaceId: keyspace.id });
  need(rights, permissionFor(action, keyspace));
}

/** Throws KEY_NOT_FOUND where the caller may not see it, then PERMISSION_MISSING where it may not do this to it. */
export function authorizeKey(rights: Rights, action: KeyAction, keyspace: Place, key: Thing): void {
  if (!seesKey(rights, keyspace, key)) throw new DomainError({ reason: "KEY_NOT_FOUND", keyId: key.id });
  need(rights, permissionFor(action, keyspace));
}

/** Throws GRANT_EXCEEDS_CALLER unless `wanted` lies within `rights`: nobody gives what they do not hold. */
export function needWithin(rights: Rights, wanted: Rights): void {
  const excess = excessOf(rights, wanted);
  if (excess.length > 0) throw new DomainError({ reason: "GRANT_EXCEEDS_CALLER", excess });
}

/** What of `wanted` lies beyond `rights`: permissions, keyspaces, addresses by themselves, or the field that is too wide as a whole. */
export function excessOf(rights: Rights, wanted: Rights): readonly string[] {
  return [
    ...wanted.permissions.filter((permission) => !rights.held.has(permission)),
    ...excessKeyspaces(rights, wanted),
    ...excessAddresses(rights, wanted),
    ...(outlives(rights, wanted) ? ["expire_time"] : []),
  ];
}

function permissionFor(action: KeyAction, keyspace: Place): ManagementPermission {
  // Nothing is ever imported among management keys, so that permission does not exist and cannot be held by name.
  return `clavis.${keyspace.management ? "management_keys" : "keys"}.${action}` as ManagementPermission;
}

function seesManagementKeys(rights: Rights): boolean {
  const actions = ["create", "read", "update", "rotate", "revoke", "delete"] as const;
  return actions.some((action) => rights.held.has(`clavis.management_keys.${action}`));
}

/** Whether rights held to `keyspaceIds` (none: all) reach no further than these. */
function reaches(rights: Rights, keyspaceIds: readonly string[]): boolean {
  if (rights.keyspaceIds.length === 0) return true;
  return keyspaceIds.length > 0 && keyspaceIds.every((id) => rights.keyspaceIds.includes(id));
}

function excessKeyspaces(rights: Rights, wanted: Rights): readonly string[] {
  if (rights.keyspaceIds.length === 0) return [];
  if (wanted.keyspaceIds.length === 0) return ["allowed_keyspace_ids"];
  return wanted.keyspaceIds.filter((id) => !rights.keyspaceIds.includes(id));
}

function excessAddresses(rights: Rights, wanted: Rights): readonly string[] {
  if (rights.addresses.length === 0) return [];
  if (wanted.addresses.length === 0) return ["allowed_addresses"];
  return wanted.addresses
    .filter((inner) => !rights.addresses.some((outer) => cidrWithin(inner, outer)))
    .map(canonicalCidr);
}

function outlives(rights: Rights, wanted: Rights): boolean {
  if (rights.expireTime === null) return false;
  return wanted.expireTime === null || wanted.expireTime > rights.expireTime;
}
