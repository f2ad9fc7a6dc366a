import { createFloors, type EntityChange, type EntityVersion, type Floors } from "./floors.ts";
import { hasSeenAll, type Position } from "./position.ts";
import type { Snapshot } from "./snapshot.ts";

/** Something that was read: when, in terms of what it could see, and which versions it was joined from. */
export interface ReadRecord {
  /** For a record from Postgres that of its read; for an answer of a replica what that replica had applied when it gave it. */
  readonly position: Position;
  readonly entities: readonly EntityVersion[];
}

/**
 * What a cache, of a replica or of an SDK, may believe. All that the horizon sees is taken for known, of all that came after
 * there are floors: so a record that sees as much as the horizon and is below no floor is as new as what has been applied.
 */
export interface Horizon {
  /** Where it stands. */
  readonly position: Position;
  readonly floors: Floors;
  /** Raises the floor of a change that the horizon does not see. */
  raise(change: EntityChange): void;
  /**
   * Whether the record may be stored, or answer if it is stored. To be asked both times: an entity's floor may be gone by the
   * time of a hit, and what it spoke against was dropped from the cache only where the cache found it.
   */
  believes(record: ReadRecord): boolean;
  /** Moves on to `snapshot`, which must have been applied, and drops the floors that this makes needless. */
  moveTo(snapshot: Snapshot): void;
}

/** `first` is the position of the first good poll on its timeline, or of a watch when it was opened. */
export function createHorizon(first: Position): Horizon {
  let position = first;
  const floors = createFloors();
  return {
    get position() {
      return position;
    },
    floors,
    raise: (change) => floors.raise(change),
    believes(record) {
      return hasSeenAll(record.position, position) && floors.allow(record.entities);
    },
    moveTo(snapshot) {
      position = { timeline: position.timeline, snapshot };
      floors.dropSeenBy(snapshot);
    },
  };
}
