import { create } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, expectTypeOf, it } from "vitest";
import { ErrorReasonSchema } from "../gen/clavis/v1/error_reason_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import type { ClavisError } from "./clavis-error.ts";
import { errorFromConnect, errorFromStatus } from "./from-wire.ts";
import type { Reason, ServiceReason } from "./reason.ts";

const info = { reason: "STORE_UNAVAILABLE", domain: "clavis.dev", metadata: { store: "primary" } };
const badRequest = { fieldViolations: [{ field: "page_size", description: "must be 0 or more" }] };
const retryInfo = { retryDelay: durationFromMs(1_250) };

const expected = {
  reason: "STORE_UNAVAILABLE",
  code: "UNAVAILABLE",
  message: "try again",
  facts: { store: "primary" },
  violations: [{ field: "page_size", description: "must be 0 or more" }],
  retryAfterMs: 1_250,
  retryable: true,
};

describe("errorFromConnect", () => {
  it("reads reason, facts, violations, wait and call id", () => {
    const details = [
      { desc: ErrorInfoSchema, value: info },
      { desc: BadRequestSchema, value: badRequest },
      { desc: RetryInfoSchema, value: retryInfo },
    ];
    const error = new ConnectError("try again", Code.Unavailable, { "clavis-call-id": "call_7" }, details);
    expect(errorFromConnect(error)).toMatchObject({ ...expected, callId: "call_7" });
    expect(JSON.parse(JSON.stringify(errorFromConnect(error)))).toEqual({
      name: "ClavisError",
      ...expected,
      callId: "call_7",
    });
  });

  it.each<[Code, Partial<ClavisError>]>([
    [Code.Unavailable, { reason: "UNREACHABLE", code: "UNAVAILABLE", retryable: true }],
    [Code.DeadlineExceeded, { reason: "DEADLINE_EXCEEDED", code: "DEADLINE_EXCEEDED", retryable: true }],
    [Code.Unauthenticated, { reason: "UNKNOWN", code: "UNAUTHENTICATED", retryable: false }],
    [Code.Internal, { reason: "UNKNOWN", code: "INTERNAL", retryable: false }],
  ])("makes the best of status %i without a reason", (code, parts) => {
    expect(errorFromConnect(new ConnectError("from a proxy", code, { via: "proxy" }))).toMatchObject(parts);
  });

  it("takes no reason from another domain for ours", () => {
    const details = [{ desc: ErrorInfoSchema, value: { ...info, reason: "KEY_NOT_FOUND", domain: "googleapis.com" } }];
    const error = errorFromConnect(new ConnectError("no", Code.NotFound, {}, details));
    expect(error).toMatchObject({ reason: "UNKNOWN", code: "NOT_FOUND", facts: {} });
  });

  it("keeps a reason that it does not know", () => {
    const details = [{ desc: ErrorInfoSchema, value: { ...info, reason: "FROM_THE_FUTURE" } }];
    expect(errorFromConnect(new ConnectError("no", Code.NotFound, {}, details)).reason).toBe("FROM_THE_FUTURE");
  });
});

describe("errorFromStatus", () => {
  it("reads what a Connect error would say", () => {
    const details = [
      anyPack(ErrorInfoSchema, create(ErrorInfoSchema, info)),
      anyPack(BadRequestSchema, create(BadRequestSchema, badRequest)),
      anyPack(RetryInfoSchema, create(RetryInfoSchema, retryInfo)),
    ];
    const status = create(StatusSchema, { code: Code.Unavailable, message: "try again", details });
    expect(errorFromStatus(status)).toMatchObject({ ...expected, callId: undefined });
  });

  it("does without a detail that cannot be read", () => {
    const typeUrl = `type.googleapis.com/${ErrorInfoSchema.typeName}`;
    const status = create(StatusSchema, { code: 5, message: "no", details: [{ typeUrl, value: Uint8Array.of(255) }] });
    expect(errorFromStatus(status)).toMatchObject({ reason: "UNKNOWN", code: "NOT_FOUND", message: "no" });
  });
});

describe("Reason", () => {
  it("lists the contract's own, and lets others be", () => {
    const names = ErrorReasonSchema.values.filter(({ number }) => number !== 0).map(({ localName }) => localName);
    expect(names).toContain("KEY_NOT_FOUND" satisfies ServiceReason);
    expectTypeOf<ServiceReason>().not.toExtend<"UNSPECIFIED">();
    expectTypeOf<"KEY_NOT_FOUND" | "UNREACHABLE" | "FROM_THE_FUTURE">().toExtend<Reason>();
    // @ts-expect-error: a misspelt reason of the contract is found out.
    const misspelt: ServiceReason = "KEY_NOT_FUOND";
    expect(names).not.toContain(misspelt);
  });
});
