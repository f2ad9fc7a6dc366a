import type { Horizon } from "../../src/coherence/horizon.ts";
import type { Trust } from "../../src/coherence/lease.ts";
import type { Membership } from "../../src/coherence/membership.ts";
import type { PollAnswer } from "../../src/coherence/poll.ts";
import type { Position } from "../../src/coherence/position.ts";
import { createRowWatch, type RowWatch } from "../../src/coherence/row-watch.ts";
import type { CachedRecord } from "./postgres.ts";

/** What a replica answers a Verify with. */
export type VerifyAnswer =
  | {
      readonly kind: "record";
      readonly record: CachedRecord;
      readonly applied: Position | undefined;
      readonly degraded: boolean;
    }
  | { readonly kind: "unavailable" };

export type WatchMessage =
  | { readonly kind: "opened"; readonly position: Position }
  | {
      readonly kind: "changes";
      readonly message: number;
      readonly position: Position;
      readonly changes: PollAnswer["changes"];
    }
  | { readonly kind: "granted"; readonly ask: number; readonly spanMs: number }
  | { readonly kind: "ended" };

export interface SimWatcher {
  acknowledged: number;
  leaseEndsMs: number;
  open: boolean;
  readonly send: (message: WatchMessage) => void;
}

export interface Flight {
  readonly waiting: Waiting[];
}

export interface Waiting {
  readonly leased: boolean;
  readonly startedMs: number;
  readonly respond: (answer: VerifyAnswer) => void;
}

/** One life of a replica's process. */
export interface Life {
  memberId: string | undefined;
  membership: Membership | undefined;
  horizon: Horizon | undefined;
  applied: Position | undefined;
  trust: Trust | undefined;
  readonly l1: Map<string, CachedRecord>;
  readonly flights: Map<string, Flight>;
  readonly watchers: Map<number, SimWatcher>;
  /** How many messages with changes were sent to watchers. */
  messages: number;
  unpublished: { position: Position; message: number }[];
  published: Position | undefined;
  /** What was applied, for moving the horizon. */
  history: Position[];
  readonly rows: RowWatch;
  readonly knownSinceMs: Map<string, number>;
  polling: boolean;
  pollAgain: boolean;
  joining: boolean;
  draining: boolean;
}

export function newLife(): Life {
  return {
    memberId: undefined,
    membership: undefined,
    horizon: undefined,
    applied: undefined,
    trust: undefined,
    l1: new Map(),
    flights: new Map(),
    watchers: new Map(),
    messages: 0,
    unpublished: [],
    published: undefined,
    history: [],
    rows: createRowWatch(),
    knownSinceMs: new Map(),
    polling: false,
    pollAgain: false,
    joining: false,
    draining: false,
  };
}
