import { Code, ConnectError } from "@connectrpc/connect";
import type { Principal } from "../access/principal.ts";
import { DomainError, failedWith } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { toConnectError } from "./errors.ts";
import { isUnreadable, readable } from "./unreadable.ts";

/** The header that names a call in answers, logs and audit events. */
export const CALL_ID_HEADER = "clavis-call-id";

/**
 * Sees calls from when they have been read to their end, whichever way they come. Each ends once, by either; `principal` is
 * undefined if nobody could tell who called.
 */
export interface CallObserver {
  /** The moment, for `startSeconds`. */
  now(): number;
  succeed(call: ObservedCall, principal: Principal | undefined): void;
  /** Logs and counts what was thrown. Returns the status that it comes to, which names the call. */
  fail(call: ObservedCall, error: unknown, principal: Principal | undefined): ConnectError;
}

/** A call under way. */
export interface ObservedCall {
  readonly callId: string;
  /** As `clavis.v1.KeyService/CreateKey`. */
  readonly method: string;
  readonly startSeconds: number;
}

/** `seconds` are monotonic. */
export function createCallObserver(parts: { log: Log; metrics: Metrics; seconds: () => number }): CallObserver {
  const { log, metrics, seconds } = parts;
  return {
    now: seconds,
    succeed: (call, principal) => settle(call, "ok", principal),
    fail(call, error, principal) {
      const answer = statusOf(error);
      answer.metadata.set(CALL_ID_HEADER, call.callId);
      settle(call, codeName(answer.code), principal, error);
      return answer;
    },
  };

  function settle(call: ObservedCall, code: string, principal: Principal | undefined, error?: unknown): void {
    const { callId, method, startSeconds } = call;
    const duration = seconds() - startSeconds;
    metrics.call(method, code, duration);
    const facts = { callId, method, code, ms: Math.round(duration * 1e6) / 1e3, principal };
    if (isBug(error)) log.error({ ...facts, error }, "call failed");
    else if (failedWith(error, "STORE_UNAVAILABLE")) log.warn({ ...facts, error }, "postgres is away");
    else log.debug(facts, "call");
  }
}

/** `Code.DeadlineExceeded` as `deadline_exceeded`. */
export function codeName(code: Code): string {
  return (Code[code] ?? "Unknown").replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function statusOf(error: unknown): ConnectError {
  if (error instanceof DomainError) return toConnectError(error);
  if (error instanceof ConnectError) return isUnreadable(error) ? readable(error) : error;
  return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

/** What nobody foresaw, as opposed to what callers may do wrong and what the machinery reports of them. */
function isBug(error: unknown): boolean {
  if (error === undefined || error instanceof DomainError) return false;
  return !(error instanceof ConnectError) || (error.code === Code.Internal && !isUnreadable(error));
}
