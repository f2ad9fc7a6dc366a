import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { AuditService } from "../gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import { policyOf } from "./policy.ts";

const services = [AuditService, KeyService, KeyspaceService, SelfService, TenantService, VerifyService];
const methods = services.flatMap((service) => service.methods);

describe("policyOf", () => {
  it("agrees with the contract on every method", () => {
    expect(methods.length).toBeGreaterThan(25);
    for (const method of methods) {
      const policy = policyOf(method);
      const reads = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
      const onceById = method.input.fields.some(({ name }) => name === "request_id");
      expect(policy.requestId, method.name).toBe(onceById);
      if (reads || onceById) expect(policy.repeatable, method.name).toBe(true);
    }
  });

  it("repeats no change without an id but one that changes nothing the second time", () => {
    const exceptions = methods.filter((method) => {
      const { repeatable, requestId } = policyOf(method);
      return repeatable && !requestId && method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    });
    expect(exceptions.map(({ name }) => name).toSorted()).toEqual(["BatchVerify", "RevokeSelf", "Verify"]);
  });

  it("gives the short timeout to what somebody waits for", () => {
    const short = methods.filter((method) => policyOf(method).timeout === "verify");
    expect(short.map(({ name }) => name).toSorted()).toEqual(["BatchVerify", "Verify"]);
  });
});
