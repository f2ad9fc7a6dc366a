import type { ClavisError } from "../errors/clavis-error.ts";

/** The wait before the first retry is drawn from 0 to this; each further one from twice as much. In milliseconds. */
const BACKOFF_BASE_MS = 50;

/** No backoff is longer, whatever the attempt; what the service itself asks for may be. In milliseconds. */
const BACKOFF_MAX_MS = 2_000;

/** What decides on a retry. */
export interface FailedAttempt {
  /** 1 for the first. */
  readonly attempt: number;
  readonly attemptsMax: number;
  /** Whether the call may be made twice, see `policyOf`. */
  readonly repeatable: boolean;
  readonly error: ClavisError;
  /** Until the call's deadline. */
  readonly remainingMs: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/**
 * How long to wait before the next attempt, in milliseconds, or undefined if there should be none: exponential backoff
 * with full jitter, so that the callers of a service that comes back do not all arrive at once, after whatever time the
 * service has asked for. None if that would be after the deadline. Only UNAVAILABLE is retried; ABORTED is not, since
 * its etag will not come back, nor is RESOURCE_EXHAUSTED: whoever floods the service is not to do so three times over.
 */
export function retryDelayMs(failed: FailedAttempt): number | undefined {
  const { attempt, attemptsMax, repeatable, error, remainingMs, random } = failed;
  if (!repeatable || attempt >= attemptsMax || error.code !== "UNAVAILABLE") return undefined;

  const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1));
  const delay = (error.retryAfterMs ?? 0) + random() * backoff;
  return delay < remainingMs ? delay : undefined;
}
