import type { Timeline } from "../coherence/position.ts";
import type { Reading } from "./known-secret.ts";

/**
 * Readings that all replicas share, so that a secret is read from Postgres once and not by each of them. Nothing rests on it: who
 * asks believes a reading by its position and versions alone. It may be slow, away, emptied or wrong, and never throws.
 */
export interface SharedCache {
  /** What is kept of these digests and turns out to be unharmed. Readings without a known secret are not kept. */
  find(timeline: Timeline, digests: readonly string[]): Promise<ReadonlyMap<string, Reading>>;
  /** Keeps it, unless something with a higher version (the sum of the keys' versions) or a tombstone of one is there. Waits for nothing. */
  keep(digest: string, reading: Reading): void;
  /** Puts a tombstone in the place of what is older than `version` of its key. Waits for nothing. */
  bury(timeline: Timeline, digest: string, version: number): void;
}
