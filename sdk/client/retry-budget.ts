const TOKENS_MAX = 10;

/** What a success gives back: so in a lasting outage of a tenth of the calls, retries go on; of more, they die down. */
const TOKENS_PER_SUCCESS = 0.1;

/** Keeps the retries of one client from multiplying the load on a service that is down. */
export interface RetryBudget {
  succeeded(): void;
  /** Counts a failed attempt; whether a retry may follow. */
  failed(): boolean;
}

/** The throttling of gRFC A6: failures take a token each, and while half or more are gone there are no retries. */
export function createRetryBudget(): RetryBudget {
  let tokens = TOKENS_MAX;
  return {
    succeeded() {
      tokens = Math.min(TOKENS_MAX, tokens + TOKENS_PER_SUCCESS);
    },
    failed() {
      tokens = Math.max(0, tokens - 1);
      return tokens > TOKENS_MAX / 2;
    },
  };
}
