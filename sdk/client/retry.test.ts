import { describe, expect, it } from "vitest";
import { ClavisError } from "../errors/clavis-error.ts";
import { type FailedAttempt, retryDelayMs } from "./retry.ts";

describe("retryDelayMs", () => {
  it("draws from twice as much each time, up to 2 s", () => {
    const delays = Array.from({ length: 9 }, (_, index) => retryDelayMs(aFailure({ attempt: index + 1 })));
    expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  });

  it("draws from all of it, so that callers spread out", () => {
    expect(retryDelayMs(aFailure({ random: () => 0 }))).toBe(0);
    expect(retryDelayMs(aFailure({ random: () => 0.25 }))).toBe(12.5);
  });

  it("adds to what the service asks for, whose callers would all come back at once otherwise", () => {
    expect(retryDelayMs(aFailure({ error: anError({ retryAfterMs: 700 }) }))).toBe(750);
  });

  it.each<[string, Partial<FailedAttempt>]>([
    ["the attempts are used up", { attempt: 10 }],
    ["the call may not be repeated", { repeatable: false }],
    ["it would come after the deadline", { remainingMs: 50 }],
    ["the status is another", { error: anError({ code: "ABORTED" }) }],
    [
      "the service is asked about too many unknown secrets",
      { error: anError({ reason: "TOO_MANY_UNKNOWN_SECRETS", code: "RESOURCE_EXHAUSTED", retryAfterMs: 1 }) },
    ],
  ])("gives none when %s", (_, failure) => {
    expect(retryDelayMs(aFailure({}))).toBe(50);
    expect(retryDelayMs(aFailure(failure))).toBeUndefined();
  });
});

function aFailure(parts: Partial<FailedAttempt>): FailedAttempt {
  const rest = {
    attempt: 1,
    attemptsMax: 10,
    repeatable: true,
    error: anError({}),
    remainingMs: 10_000,
    random: () => 1,
  };
  return { ...rest, ...parts };
}

function anError(parts: Partial<ConstructorParameters<typeof ClavisError>[0]>): ClavisError {
  return new ClavisError({ reason: "UNREACHABLE", code: "UNAVAILABLE", message: "gone", retryable: true, ...parts });
}
