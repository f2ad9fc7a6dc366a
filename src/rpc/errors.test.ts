import { inspect } from "node:util";
import { toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { DomainError, type Failure, type FailureReason } from "../errors.ts";
import { ErrorReason, ErrorReasonSchema } from "../gen/clavis/v1/error_reason_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { toConnectError } from "./errors.ts";

type ContractReason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

const violations = [
  { field: "keys[1].digest", description: "is known already" },
  { field: "keys[3].digest", description: "is known already" },
];

/** A failure for each reason. Does not compile where the contract has one that the domain has not, or the other way round. */
const failures: { readonly [Reason in FailureReason & ContractReason]: Extract<Failure, { reason: Reason }> } & Record<
  FailureReason | ContractReason,
  Failure
> = {
  INVALID_REQUEST: { reason: "INVALID_REQUEST", violations },
  PAGE_TOKEN_INVALID: { reason: "PAGE_TOKEN_INVALID" },
  PERMISSION_NOT_GRANTABLE: {
    reason: "PERMISSION_NOT_GRANTABLE",
    fields: ["keys[1].permissions", "keys[7].permissions"],
    permissions: ["a", "b.*"],
  },
  EXPIRY_OUTSIDE_POLICY: { reason: "EXPIRY_OUTSIDE_POLICY", fields: ["ttl"], latest: Date.UTC(2026, 0, 1) },
  CREDENTIAL_REJECTED: { reason: "CREDENTIAL_REJECTED" },
  PERMISSION_MISSING: { reason: "PERMISSION_MISSING", permission: "clavis.verify" },
  GRANT_EXCEEDS_CALLER: { reason: "GRANT_EXCEEDS_CALLER", excess: ["clavis.*", "expire_time"] },
  TENANT_NOT_FOUND: { reason: "TENANT_NOT_FOUND", tenantId: "ten_1" },
  KEYSPACE_NOT_FOUND: { reason: "KEYSPACE_NOT_FOUND", keyspaceId: "ks_1" },
  KEY_NOT_FOUND: { reason: "KEY_NOT_FOUND", keyId: "key_1" },
  REQUEST_ID_REUSED: { reason: "REQUEST_ID_REUSED" },
  DIGEST_ALREADY_EXISTS: { reason: "DIGEST_ALREADY_EXISTS", violations },
  ETAG_MISMATCH: { reason: "ETAG_MISMATCH" },
  KEY_STATE_CONFLICT: { reason: "KEY_STATE_CONFLICT", keyId: "key_1", state: "revoked" },
  KEYSPACE_NOT_EMPTY: { reason: "KEYSPACE_NOT_EMPTY", keyspaceId: "ks_1", liveKeys: 3 },
  KEYSPACE_RESERVED: { reason: "KEYSPACE_RESERVED", keyspaceId: "ks_1" },
  LAST_MANAGEMENT_KEY: { reason: "LAST_MANAGEMENT_KEY", keyId: "key_1" },
  STORE_UNAVAILABLE: { reason: "STORE_UNAVAILABLE", retryAfterMs: 1500 },
  ANSWER_LOST: { reason: "ANSWER_LOST" },
  TOO_MANY_UNKNOWN_SECRETS: { reason: "TOO_MANY_UNKNOWN_SECRETS", retryAfterMs: 1000 },
};

const all = Object.values(failures);

describe("the contract's reasons", () => {
  it("are the domain's", () => {
    const names = ErrorReasonSchema.values.map(({ name }) => name.replace("ERROR_REASON_", ""));
    expect(all.map(({ reason }) => reason)).toEqual(names.filter((name) => name !== "UNSPECIFIED"));
    expect(names).toEqual(Object.keys(ErrorReason));
  });
});

describe("toConnectError", () => {
  it.each(all)("says $reason as google.rpc wants it, each detail once, and nothing of the cause", (failure) => {
    const cause = new Error("secret cause");
    const error = toConnectError(new DomainError(failure, { cause }));
    const types = error.details.map((detail) => ("desc" in detail ? detail.desc.typeName : detail.type));
    expect(new Set(types).size).toBe(types.length);
    expect(types[0]).toBe(ErrorInfoSchema.typeName);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: failure.reason, domain: "clavis.dev" }]);
    expect(error.rawMessage).not.toBe("");
    const values = error.details.map((detail) => detail.value);
    expect(inspect([error.rawMessage, values], { depth: 9 })).not.toContain("secret cause");
    expect([Code.Internal, Code.Unknown]).not.toContain(error.code);
  });

  it("names each violation in BadRequest, and how long to wait in RetryInfo", () => {
    const invalid = toConnectError(new DomainError(failures.INVALID_REQUEST));
    expect(invalid.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: violations }]);
    expect(invalid.rawMessage).toContain("keys[1].digest");
    const away = toConnectError(new DomainError(failures.STORE_UNAVAILABLE));
    expect(away.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n, nanos: 500_000_000 } }]);
    expect(away.findDetails(BadRequestSchema)).toEqual([]);
  });

  it("keeps what it says of a thousand items within what gRPC's trailers hold", () => {
    const sized = (description: string) => {
      const fields = Array.from({ length: 1000 }, (_, index) => ({ field: `keys[${index}].digest`, description }));
      const error = toConnectError(new DomainError({ reason: "INVALID_REQUEST", violations: fields }));
      const [detail] = error.findDetails(BadRequestSchema);
      if (detail === undefined) throw new Error("no BadRequest");
      expect(detail.fieldViolations).toMatchObject(fields.slice(0, detail.fieldViolations.length));
      expect(toBinary(BadRequestSchema, detail).length).toBeLessThanOrEqual(40 * 1024);
      expect(error.rawMessage).toMatch(/^keys\[0\].*; and 980 more$/);
      return detail.fieldViolations.length;
    };
    expect(sized("x".repeat(16))).toBeGreaterThan(900);
    expect(sized("x".repeat(100))).toBeGreaterThan(250);
  });

  it("leaves out what is not known", () => {
    const error = toConnectError(
      new DomainError({ reason: "EXPIRY_OUTSIDE_POLICY", fields: ["expire_time"], latest: null }),
    );
    expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({});
  });
});
