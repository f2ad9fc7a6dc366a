import type { Position } from "./position.ts";

/**
 * How replicas tell each other sooner what they would find out by themselves. Each word may be lost, late, doubled or old, and
 * nothing but time is lost with it; but a position that was never published must not be told.
 */
export interface Bulletin {
  /** Tells all replicas that there is something new in the change feed. Never throws, waits for nothing. */
  announce(): void;
  /** Tells that this member has applied all up to `position`. Never throws, waits for nothing. */
  publish(memberId: string, position: Position): void;
  /** What these members have published last, as far as it is known. Never throws. */
  published(memberIds: readonly string[]): Promise<ReadonlyMap<string, Position>>;
  /** Called when somebody has announced something. */
  onAnnounced(listener: () => void): void;
  /** Called when some member has published. */
  onPublished(listener: () => void): void;
}

/** For who is alone, or has no way to tell. */
export const noBulletin: Bulletin = {
  announce() {},
  publish() {},
  published: async () => new Map(),
  onAnnounced() {},
  onPublished() {},
};
