import { SECOND_MS } from "../time.ts";

/**
 * Keeps callers from waiting, one after the other, for something that has not answered in time. A failure opens it for a second,
 * and each one that follows on it for twice as long; then one call at a time may try. Times by a monotonic clock.
 */
export interface Breaker {
  /** Whether a call may be made. Who is told so says how it ended. */
  admits(nowMs: number): boolean;
  succeeded(): void;
  failed(nowMs: number): void;
  /** Nobody knows whether it would have been answered in time. */
  abandoned(): void;
}

const REST_MIN_MS = SECOND_MS;
const REST_MAX_MS = 8 * SECOND_MS;

export function createBreaker(): Breaker {
  let failures = 0;
  let openUntilMs = 0;
  let trying = false;
  return {
    admits(nowMs) {
      if (failures === 0) return true;
      if (trying || nowMs < openUntilMs) return false;
      trying = true;
      return true;
    },
    succeeded() {
      failures = 0;
      trying = false;
    },
    failed(nowMs) {
      openUntilMs = nowMs + Math.min(REST_MIN_MS * 2 ** failures, REST_MAX_MS);
      failures += 1;
      trying = false;
    },
    abandoned() {
      trying = false;
    },
  };
}
