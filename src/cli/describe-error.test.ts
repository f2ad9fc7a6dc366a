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

it("says which scheme to try where one side seems to speak TLS and the other does not", () => {
  const describeAt = (url: string, message: string) =>
    describeError(new ClavisError({ reason: "UNREACHABLE", code: "UNAVAILABLE", message, retryable: true }), {
      ...connection,
      url,
    });
  const ended = "http/2 stream closed with error code CANCEL (0x8)";
  for (const message of [ended, "no connection to the service: ECONNRESET"]) {
    expect(describeAt("http://127.0.0.1:8420", message)).toContain("is https://127.0.0.1:8420.");
  }
  expect(describeAt("https://127.0.0.1:8420", ended)).toContain("Is the service running");
  expect(describeAt("https://127.0.0.1:8420", "ERR_SSL_WRONG_VERSION_NUMBER")).toContain("is http://127.0.0.1:8420.");
});
