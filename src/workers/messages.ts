import type { MetricsSnapshot } from "../metrics.ts";
import type { RootKey } from "../root-keys.ts";

/**
 * What the primary and its workers tell each other, over the channel between them that nobody else has. By structured clone, so
 * bytes and errors are what they were.
 */
export type ToWorker =
  /** The answer to `hello`. */
  | { readonly type: "start"; readonly number: number; readonly store: SharedStore }
  /** Drain, and end. */
  | { readonly type: "stop" }
  /** To be answered by `pong`, by who can. */
  | { readonly type: "ping" }
  /** To be answered by `counted`. */
  | { readonly type: "count" };

export type FromWorker =
  /** It hears from now on. */
  | { readonly type: "hello" }
  | { readonly type: "serving"; readonly url: string }
  /** It cannot serve, and ends. */
  | { readonly type: "failed"; readonly error: unknown; readonly explained: boolean }
  /** Whenever one of them has changed. */
  | { readonly type: "state"; readonly ready: boolean; readonly memberIds: readonly string[] }
  | { readonly type: "pong" }
  | { readonly type: "counted"; readonly metrics: MetricsSnapshot };

/** What a worker needs of the store that the primary holds open. Here alone its secrets are in the clear. */
export interface SharedStore {
  readonly url: string;
  readonly connectionsMax: number;
  readonly rootKeys: readonly [RootKey, ...RootKey[]];
  readonly operatorSecrets: readonly string[];
}
