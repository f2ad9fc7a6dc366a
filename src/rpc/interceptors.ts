import { Code, ConnectError, type Interceptor, type StreamResponse, type UnaryResponse } from "@connectrpc/connect";
import type { Authenticator } from "../access/authenticator.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import { admissionTo, bearerOf, userAgentOf } from "./admission.ts";
import { arrivalKey, callKey, observedKey } from "./call-context.ts";
import { CALL_ID_HEADER, type CallObserver } from "./call-observer.ts";
import type { RequestCheck } from "./request-check.ts";

type Response = UnaryResponse | StreamResponse;

/**
 * Outermost: names the call, turns what is thrown into a status, logs and counts. A failed stream fails while it is read, after
 * `next` has returned; so its messages are watched as well.
 */
export function observe(observer: CallObserver): Interceptor {
  return (next) => async (req) => {
    const { callId } = req.contextValues.get(arrivalKey);
    req.contextValues.set(observedKey, true);
    const method = `${req.service.typeName}/${req.method.name}`;
    const call = { callId, method, startSeconds: observer.now() };
    const principal = () => req.contextValues.get(callKey)?.principal;
    const { signal } = req;
    // What a caller resets its stream with, which may be "internal error", is no error of ours.
    const fail = (error: unknown) =>
      observer.fail(call, signal.aborted && error === signal.reason ? endOf(signal) : error, principal());

    let response: Response;
    try {
      response = await next(req);
    } catch (error) {
      throw fail(error);
    }
    response.header.set(CALL_ID_HEADER, callId);
    if (!response.stream) {
      observer.succeed(call, principal());
      return response;
    }
    return { ...response, message: watched(response.message, () => observer.succeed(call, principal()), fail) };
  };
}

/** Ends the wait for a verdict when the caller's deadline has passed, or the caller has gone. Nothing is left half done by that. */
export function endInTime(): Interceptor {
  return (next) => (req) => {
    if (req.service.typeName !== VerifyService.typeName) return next(req);
    const { signal } = req;
    return new Promise((resolve, reject) => {
      const end = () => reject(endOf(signal));
      if (signal.aborted) {
        end();
        return;
      }
      signal.addEventListener("abort", end, { once: true });
      next(req)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", end));
    });
  };
}

/** Finds out who calls, and lets each service be called by those whom it is for. */
export function authenticate(authenticator: Authenticator): Interceptor {
  return (next) => async (req) => {
    const admit = admissionTo(req.method);
    if (admit === undefined) return next(req);

    const { callId, address } = req.contextValues.get(arrivalKey);
    const secret = bearerOf(req.header.get("authorization"));
    const { principal, rights } = await admit(authenticator, { secret, address });
    const userAgent = userAgentOf(req.header.get("user-agent"));
    req.contextValues.set(callKey, { id: callId, principal, rights, address, userAgent, signal: req.signal });
    return next(req);
  };
}

/** Holds requests to the contract. */
export function validate(check: RequestCheck): Interceptor {
  return (next) => async (req) => {
    if (!req.stream) {
      const problem = check(req.method.input, req.message);
      if (problem !== undefined) throw problem;
    }
    return next(req);
  };
}

function endOf({ reason }: AbortSignal): ConnectError {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded ? deadlineExceeded() : callerGone();
}

/** What becomes of a call whose deadline passes before its answer is there. */
export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

/** What becomes of a call whose caller does not wait for the answer. */
export function callerGone(): ConnectError {
  return new ConnectError("the caller has gone", Code.Canceled);
}

async function* watched<T>(
  messages: AsyncIterable<T>,
  done: () => void,
  fail: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
    done();
  } catch (error) {
    throw fail(error);
  }
}
