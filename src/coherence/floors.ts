import { type Snapshot, visible } from "./snapshot.ts";

/** A version of a key, owner, role, keyspace or tenant. Ids are typed, so that one map holds all five. */
export interface EntityVersion {
  readonly id: string;
  readonly version: number;
}

/** A row of the change feed: the entity has this version since transaction `xid`. */
export interface EntityChange extends EntityVersion {
  readonly xid: bigint;
}

/** The lowest versions that a cache may still believe. */
export interface Floors {
  raise(change: EntityChange): void;
  /** Whether none of these is below its floor. */
  allow(entities: readonly EntityVersion[]): boolean;
  /** Drops the floors whose change `snapshot` sees. Safe only where nothing is believed that `snapshot` sees more than. */
  dropSeenBy(snapshot: Snapshot): void;
  readonly size: number;
}

export function createFloors(): Floors {
  const floors = new Map<string, EntityChange>();
  return {
    raise(change) {
      const floor = floors.get(change.id);
      // The feed tells of one entity's changes in any order within a poll; versions grow with each of them.
      if (floor === undefined || floor.version < change.version) floors.set(change.id, change);
    },
    allow(entities) {
      return entities.every(({ id, version }) => version >= (floors.get(id)?.version ?? 0));
    },
    dropSeenBy(snapshot) {
      for (const [id, { xid }] of floors) if (visible(snapshot, xid)) floors.delete(id);
    },
    get size() {
      return floors.size;
    },
  };
}
