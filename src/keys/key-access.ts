import type { KeyState } from "@clavis/sdk/rules";
import type { KeyAction } from "../access/permissions.ts";
import { authorizeKey, authorizeKeysIn, need, needKeyAction, type Rights } from "../access/rights.ts";
import type { Change } from "../changes/change-service.ts";
import type { Transaction } from "../changes/transactor.ts";
import { DomainError } from "../errors.ts";
import { checkEtag } from "../etag.ts";
import { type Keyspace, modeOf } from "../keyspaces/keyspace.ts";
import { type Key, stateOf } from "./key.ts";

/** Which key a change is about. */
export interface KeyRef {
  readonly keyId: string;
  /** What the change is based on; empty for whatever is there. */
  readonly etag: string;
}

/** What of the tenant's keys a caller may look through. */
export interface KeyView {
  readonly keyspaceIds: readonly string[] | undefined;
  readonly management: boolean;
  readonly heldTo: readonly string[] | undefined;
}

/** Throws KEYSPACE_NOT_FOUND or PERMISSION_MISSING where one keyspace is asked for that is not the caller's to look into. */
export async function viewOf(tx: Transaction, rights: Rights, action: KeyAction, keyspaceId: string): Promise<KeyView> {
  const held = rights.keyspaceIds.length === 0 ? undefined : rights.keyspaceIds;
  if (keyspaceId === "") {
    need(rights, `clavis.keys.${action}`);
    // Whoever is held to the reserved keyspace itself sees no more of it than by asking for it.
    return { keyspaceIds: held, management: false, heldTo: undefined };
  }
  const keyspace = authorizedKeyspace(rights, action, keyspaceId, await tx.keyspaces.find(keyspaceId));
  const { management } = keyspace;
  return { keyspaceIds: [keyspaceId], management, heldTo: management ? held : undefined };
}

/** The keyspace that keys are made or ended in, kept as it is until the commit. */
export async function keyspaceFor({ tx, rights }: Change, action: KeyAction, keyspaceId: string): Promise<Keyspace> {
  needKeyAction(rights, action);
  return authorizedKeyspace(rights, action, keyspaceId, await tx.keyspaces.findShared(keyspaceId));
}

/** The key that is to be changed, kept from others until the commit, and its keyspace. */
export async function keyFor(
  change: Change,
  action: KeyAction,
  ref: KeyRef,
): Promise<{ key: Key; keyspace: Keyspace }> {
  const { tx, rights } = change;
  needKeyAction(rights, action);
  const key = await tx.keys.findLocked(ref.keyId);
  if (key === undefined) throw new DomainError({ reason: "KEY_NOT_FOUND", keyId: ref.keyId });
  const keyspace = await concernedKeyspace(change, key);
  authorizeKey(rights, action, keyspace, key);
  checkEtag(key, ref.etag);
  return { key, keyspace };
}

/** The keyspace of a key that is changed, kept as it is until the commit: how long that is waited for rests on it. */
export async function concernedKeyspace({ tx, concerns }: Change, key: Key): Promise<Keyspace> {
  const keyspace = thatOf(key, await tx.keyspaces.findShared(key.keyspaceId));
  concerns(modeOf(keyspace));
  return keyspace;
}

/** Throws KEY_NOT_FOUND or PERMISSION_MISSING where the key is not there for this caller, or not for this. */
export async function authorizedKey(
  tx: Transaction,
  rights: Rights,
  action: KeyAction,
  keyId: string,
  key: Key | undefined,
) {
  if (key === undefined) throw new DomainError({ reason: "KEY_NOT_FOUND", keyId });
  const keyspace = await keyspaceOf(tx, key);
  authorizeKey(rights, action, keyspace, key);
  return { key, keyspace };
}

export async function keyspaceOf(tx: Transaction, key: Key): Promise<Keyspace> {
  return thatOf(key, await tx.keyspaces.find(key.keyspaceId));
}

function thatOf({ id }: Key, keyspace: Keyspace | undefined): Keyspace {
  if (keyspace === undefined) throw new Error(`${id} has no keyspace: the foreign key forbids it`);
  return keyspace;
}

/** Throws KEY_STATE_CONFLICT if the key is in one of these states. */
export function refuseIn({ now }: Change, key: Key, states: readonly KeyState[]): void {
  const state = stateOf(key, now);
  if (states.includes(state)) throw new DomainError({ reason: "KEY_STATE_CONFLICT", keyId: key.id, state });
}

function authorizedKeyspace(
  rights: Rights,
  action: KeyAction,
  keyspaceId: string,
  keyspace: Keyspace | undefined,
): Keyspace {
  if (keyspace === undefined) throw new DomainError({ reason: "KEYSPACE_NOT_FOUND", keyspaceId });
  authorizeKeysIn(rights, action, keyspace);
  return keyspace;
}
