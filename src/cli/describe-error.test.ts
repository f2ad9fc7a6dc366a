import { ClavisError } from "@clavis/sdk";
import { expect, it } from "vitest";
import { describeError } from "./describe-error.ts";

const connection = { url: "http://127.0.0.1:8420", source: "CLAVIS_KEY" };

it("names the reason, each field that is wrong, and the call", () => {
  const error = new ClavisError({
    reason: "INVALID_REQUEST",
    code: "INVALID_ARGUMENT",
    message: "display_name: too short; prefix: too long",
    violations: [
      { field: "display_name", description: "too short" },
      { field: "prefix", description: "too long" },
    ],
    callId: "1234",
    retryable: false,
  });
  expect(describeError(error, connection).split("\n")).toEqual([
    "INVALID_REQUEST: the request is not right",
    "  display_name: too short",
    "  prefix: too long",
    "  call id: 1234",
  ]);
});

it("says where it tried, and where the credential came from", () => {
  const failure = { message: "no", retryable: false };
  const unreachable = new ClavisError({ ...failure, reason: "UNREACHABLE", code: "UNAVAILABLE" });
  const rejected = new ClavisError({ ...failure, reason: "CREDENTIAL_REJECTED", code: "UNAUTHENTICATED" });
  expect(describeError(unreachable, connection)).toContain("http://127.0.0.1:8420");
  expect(describeError(rejected, connection)).toContain("CLAVIS_KEY");
});
