import { ClavisError } from "../errors/clavis-error.ts";
import type { Runtime } from "./runtime.ts";

/** What may end a call from outside. */
export interface CallEnds {
  readonly timeoutMs: number;
  /** The caller's own. */
  readonly signal: AbortSignal | undefined;
  /** Aborted when the client closes. */
  readonly closing: AbortSignal;
}

/** The time within which a call must come to its end, all attempts and waits included. */
export interface CallScope extends Disposable {
  /** Aborted, with a `ClavisError` as its reason, when the call must end. */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline. */
  remainingMs(): number;
  /** What `promise` comes to; rejects with the `ClavisError` if the call must end first. */
  race<T>(promise: Promise<T>): Promise<T>;
}

/** Opens the scope of one call. Dispose of it when the call has ended, or its timer and listeners stay behind. */
export function openCallScope(ends: CallEnds, runtime: Runtime): CallScope {
  const controller = new AbortController();
  const ended = new AbortController();
  const deadline = runtime.now() + ends.timeoutMs;

  const end = (error: ClavisError) => {
    if (!ended.signal.aborted) controller.abort(error);
  };
  endWhen(ends.closing, ended.signal, () => end(clientClosed()));
  if (ends.signal !== undefined) endWhen(ends.signal, ended.signal, () => end(canceled()));
  void runtime.wait(ends.timeoutMs, ended.signal).then(() => end(deadlineExceeded(ends.timeoutMs)));

  return {
    signal: controller.signal,
    remainingMs: () => deadline - runtime.now(),
    race: (promise) => raceWith(controller.signal, promise),
    [Symbol.dispose]: () => ended.abort(),
  };
}

function endWhen(signal: AbortSignal, ended: AbortSignal, end: () => void): void {
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true, signal: ended });
}

function raceWith<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function deadlineExceeded(timeoutMs: number): ClavisError {
  return new ClavisError({
    reason: "DEADLINE_EXCEEDED",
    code: "DEADLINE_EXCEEDED",
    message: `no answer within ${timeoutMs} ms`,
    retryable: true,
  });
}

function canceled(): ClavisError {
  return new ClavisError({
    reason: "CANCELED",
    code: "CANCELLED",
    message: "canceled by the caller",
    retryable: false,
  });
}

function clientClosed(): ClavisError {
  return new ClavisError({
    reason: "CLIENT_CLOSED",
    code: "CANCELLED",
    message: "the client is closed",
    retryable: false,
  });
}
