import type { KeyState } from "@clavis/sdk/rules";
import type { UnixMs } from "../time.ts";
import type { Key } from "./key.ts";

/** Where the keys of one tenant live, within a transaction. Digests are SHA-256 in hexadecimal digits. */
export interface KeyStore {
  /** Adds keys that are not there yet, each with the digest of its secret. Nothing is added if a digest is known already. */
  insert(keys: readonly NewKey[]): Promise<InsertResult>;
  find(keyId: string): Promise<Key | undefined>;
  /** As `find`, and it stays as it is until the transaction ends: what is granted rests on rights that hold. */
  findShared(keyId: string): Promise<Key | undefined>;
  /** As `find`, and nobody else changes it until the transaction ends. */
  findLocked(keyId: string): Promise<Key | undefined>;
  /** Writes all fields that can change. */
  update(keys: readonly Key[]): Promise<void>;
  /** Gives a key one more secret. */
  addSecret(keyId: string, digest: string): Promise<void>;
  /** Stops each of the key's secrets at `time`, those that stop earlier excepted. */
  stopSecrets(keyId: string, time: UnixMs): Promise<void>;
  /** The same for those that stop some time already; the present one goes on. */
  stopStoppingSecrets(keyId: string, time: UnixMs): Promise<void>;
  delete(keyId: string): Promise<void>;
  /** Up to `limit` keys in the order asked for. */
  list(query: KeyQuery): Promise<readonly Key[]>;
  /** As `list`, and nobody else changes them until the transaction ends. */
  listLocked(query: KeyQuery): Promise<readonly Key[]>;
  /** How many keys of the keyspace are neither revoked nor expired at `now`, not counting `exceptIds`. */
  countLive(keyspaceId: string, now: UnixMs, exceptIds?: readonly string[]): Promise<number>;
  /** Of a reserved keyspace, those that may be used at `now` and can make others for all of the tenant. */
  countAdministrators(keyspaceId: string, now: UnixMs, exceptIds?: readonly string[]): Promise<number>;
}

export interface NewKey {
  readonly key: Key;
  readonly digest: string;
}

export type InsertResult =
  | { readonly inserted: true }
  | { readonly inserted: false; readonly knownDigests: readonly string[] };

export interface KeyFilter {
  /** Empty for any. */
  readonly states: readonly KeyState[];
  /** Empty for any. */
  readonly ownerId: string;
  readonly expireAfterTime: UnixMs | null;
  readonly expireBeforeTime: UnixMs | null;
  /** What the masked secret begins with. */
  readonly prefix: string;
  /** What the display name contains, whatever the case. */
  readonly text: string;
}

export type KeyOrder = "create_time" | "display_name" | "expire_time";

/** Where a key stands in a list: the value that it is ordered by and, among equals, its id. */
export interface KeyPosition {
  readonly value: string | number;
  readonly id: string;
}

export interface KeyQuery {
  /** Of these keyspaces; undefined for all of the tenant's. */
  readonly keyspaceIds: readonly string[] | undefined;
  /** Whether keys of the reserved keyspace may be among them. */
  readonly management: boolean;
  /** Only keys whose own `allowedKeyspaceIds` are among these and not empty; undefined for whatever they are. */
  readonly heldTo: readonly string[] | undefined;
  readonly filter: KeyFilter;
  /** Whether revoked keys are left out whatever the filter says. */
  readonly unrevokedOnly: boolean;
  readonly order: KeyOrder;
  readonly descending: boolean;
  readonly after: KeyPosition | undefined;
  readonly limit: number;
  /** When the states hold. */
  readonly now: UnixMs;
}

/** For keys that never expire: they come after all others. The last moment that a JavaScript date can tell. */
export const NEVER: UnixMs = 8.64e15;

/** Where `key` stands in a list in this order. */
export function positionIn(order: KeyOrder, key: Key): KeyPosition {
  const values: Record<KeyOrder, string | number> = {
    create_time: key.createTime,
    display_name: key.displayName,
    expire_time: key.expireTime ?? NEVER,
  };
  return { value: values[order], id: key.id };
}
