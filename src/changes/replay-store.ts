import type { Effect } from "./effect.ts";

/**
 * The answers to requests that carried a `request_id`, within a transaction, for 24 h. Ids and requests are known by digest alone, and
 * answers are sealed under the id, so that the table gives none away.
 */
export interface ReplayStore {
  /**
   * Takes an id for the request at hand. Waits for a transaction that has it already, and then finds what that one answered.
   * `undefined` means that it is free, and taken now.
   */
  claim(claim: ReplayClaim): Promise<Replay | undefined>;
  /**
   * Keeps the answer to the request that was claimed, and what it has to wait for, if anything. Written with the transaction's
   * last statement.
   */
  keep(claim: ReplayClaim, sealedAnswer: Uint8Array, effect: Effect | undefined): void;
}

export interface ReplayClaim {
  /** Type and id of the principal: an id means nothing in another's hands. */
  readonly principal: string;
  /** SHA-256 of the `request_id`, in hexadecimal digits. */
  readonly idDigest: string;
  /** SHA-256 of method and request, in hexadecimal digits. */
  readonly fingerprint: string;
}

export interface Replay {
  readonly fingerprint: string;
  readonly sealedAnswer: Uint8Array;
  readonly effect: Effect | undefined;
}
