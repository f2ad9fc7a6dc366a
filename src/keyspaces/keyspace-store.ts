import type { Keyspace } from "./keyspace.ts";

/** Where the keyspaces of one tenant live, within a transaction. */
export interface KeyspaceStore {
  insert(keyspace: Keyspace): Promise<void>;
  find(keyspaceId: string): Promise<Keyspace | undefined>;
  /** As `find`, and it stays as it is until the transaction ends: keys are made under a policy that holds. */
  findShared(keyspaceId: string): Promise<Keyspace | undefined>;
  /** As `find`, and nobody else changes it, or makes keys in it, until the transaction ends. */
  findLocked(keyspaceId: string): Promise<Keyspace | undefined>;
  /** Writes all fields that can change. */
  update(keyspace: Keyspace): Promise<void>;
  /** Removes it with all its keys. */
  delete(keyspaceId: string): Promise<void>;
  /** Newest first: up to `limit` that are older than `afterId`, of `ids` alone if given, the reserved one only if wanted. */
  list(query: KeyspaceQuery): Promise<readonly Keyspace[]>;
}

export interface KeyspaceQuery {
  readonly ids: readonly string[] | undefined;
  readonly management: boolean;
  readonly afterId: string | undefined;
  readonly limit: number;
}
