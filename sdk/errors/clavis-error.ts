import type { Reason } from "./reason.ts";
import type { StatusCode } from "./status-code.ts";

/** A field of the request that breaks the contract. */
export interface Violation {
  /** The path to the field, such as `keys[3].display_name`. */
  readonly field: string;
  /** What is wrong with it, for people. */
  readonly description: string;
}

/** What is known of a failure. */
export interface Failure {
  readonly reason: Reason;
  readonly code: StatusCode;
  readonly message: string;
  readonly facts?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly retryAfterMs?: number | undefined;
  readonly callId?: string | undefined;
  readonly retryable: boolean;
}

/**
 * A call that failed: the service refused it, or could not be asked. That a *key* is refused is no error but an outcome.
 *
 *     if (error instanceof ClavisError) {
 *       switch (error.reason) {
 *         case "KEY_NOT_FOUND": ...
 *         case "UNREACHABLE": ...
 *       }
 *     }
 *
 * Holds neither the token nor any secret of the request, and no `cause` that might.
 */
export class ClavisError extends Error {
  override readonly name = "ClavisError";
  /** Why, for programs. */
  readonly reason: Reason;
  /** The status behind it. */
  readonly code: StatusCode;
  /** What the service says about the reason, such as `key_id`; which facts come with which reason, `ErrorReason` lists. */
  readonly facts: Readonly<Record<string, string>>;
  /** The fields that break the contract, for the reason `INVALID_REQUEST`. */
  readonly violations: readonly Violation[];
  /** How long the service asks to wait before another attempt, in milliseconds; undefined if it does not say. */
  readonly retryAfterMs: number | undefined;
  /** The service's id of the call, to find it in logs and audit; undefined if no answer came. */
  readonly callId: string | undefined;
  /**
   * Whether the same call may succeed later. The client has retried by itself already where that was safe. Whoever makes
   * a change once more must give both calls one `requestId`, or it may happen twice.
   */
  readonly retryable: boolean;

  constructor(failure: Failure) {
    super(failure.message);
    this.reason = failure.reason;
    this.code = failure.code;
    this.facts = failure.facts ?? {};
    this.violations = failure.violations ?? [];
    this.retryAfterMs = failure.retryAfterMs;
    this.callId = failure.callId;
    this.retryable = failure.retryable;
  }

  /** All of the above, and the message, as plain data for logs. */
  toJSON(): Failure & { readonly name: string } {
    const { name, reason, code, message, facts, violations, retryAfterMs, callId, retryable } = this;
    return { name, reason, code, message, facts, violations, retryAfterMs, callId, retryable };
  }
}

/** A request that this side can tell to be wrong, in the words that the service would use. */
export function invalidRequest(violations: readonly Violation[]): ClavisError {
  const listed = violations.map(({ field, description }) => (field === "" ? description : `${field}: ${description}`));
  return new ClavisError({
    reason: "INVALID_REQUEST",
    code: "INVALID_ARGUMENT",
    message: listed.join("; "),
    violations,
    retryable: false,
  });
}
