import type { UnixMs } from "../time.ts";
import type { Event, EventDraft } from "./event.ts";

/** The audit log of one tenant, within a transaction. */
export interface AuditLog {
  /** Notes what this transaction changes. Written by its last statement, so that sequence and commits have one order. */
  append(drafts: readonly EventDraft[]): void;
  /** Up to `limit` events that match. */
  list(query: EventQuery): Promise<readonly Event[]>;
}

export interface EventFilter {
  /** Empty for any. */
  readonly types: readonly string[];
  /** Empty for any. */
  readonly actorId: string;
  /** Empty for any. */
  readonly targetId: string;
  /** Empty for any. */
  readonly callId: string;
  readonly afterTime: UnixMs | null;
  readonly beforeTime: UnixMs | null;
}

export interface EventQuery {
  readonly filter: EventFilter;
  /** Only events on these keyspaces and what is in them; undefined for all. */
  readonly keyspaceIds: readonly string[] | undefined;
  readonly oldestFirst: boolean;
  /** The sequence after which the page begins, in the order asked for. */
  readonly after: number | undefined;
  readonly limit: number;
}
