import type { ErrorReason } from "../gen/clavis/v1/error_reason_pb.ts";

/** The reasons that the service gives, as the contract's `ErrorReason` lists and explains them. */
export type ServiceReason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/**
 * The reasons that come from this side of the wire:
 *
 * - `UNREACHABLE`: no connection, or it broke before the answer came.
 * - `DEADLINE_EXCEEDED`: no answer within the call's `timeoutMs`.
 * - `CANCELED`: the caller's own `signal` ended the call.
 * - `CLIENT_CLOSED`: the client was closed before or during the call.
 * - `TOKEN_UNAVAILABLE`: the `token` function threw, or gave something that cannot be a token.
 * - `UNKNOWN`: anything else, such as a proxy's own answer; `code` says more.
 */
export type ClientReason =
  | "UNREACHABLE"
  | "DEADLINE_EXCEEDED"
  | "CANCELED"
  | "CLIENT_CLOSED"
  | "TOKEN_UNAVAILABLE"
  | "UNKNOWN";

/** Why a call failed. A newer service may give reasons that this version does not list: they are kept as they come. */
export type Reason = ServiceReason | ClientReason | (string & {});
