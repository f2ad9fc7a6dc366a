import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VerifyRequestSchema } from "../gen/clavis/v1/verify_service_pb.ts";
import { createRequestCheck } from "../rpc/request-check.ts";
import { isPlain } from "./plain-request.ts";

const check = createRequestCheck();
const keyspaceId = `ks_${"0".repeat(26)}`;
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 140 }),
  fc.string({ unit: fc.constantFrom("a", ".", "*", " ", "\0", "\ud800", "\n", "é"), maxLength: 140 }),
);
const number = fc.oneof(fc.nat(300).map(String), fc.constantFrom("", "01", "00", "0x1", "1e1", "+1", " 1", "1\n"));
const address = fc.oneof(
  fc.array(number, { minLength: 3, maxLength: 5 }).map((parts) => parts.join(".")),
  fc.ipV4(),
  fc.ipV6(),
  text,
);

describe("a plain request", () => {
  it("always keeps the contract", () => {
    let plain = 0;
    const request = fc.record({
      secret: fc.oneof(
        text,
        fc.nat(5000).map((length) => "x".repeat(length)),
      ),
      keyspaceId: fc.oneof(
        fc.constant(keyspaceId),
        text,
        text.map((more) => `${keyspaceId}${more}`),
      ),
      permissions: fc.array(fc.oneof(fc.constant("documents.read"), text), { maxLength: 70 }),
      clientIp: fc.oneof(fc.constant(""), address),
    });
    fc.assert(
      fc.property(request, (init) => {
        const message = create(VerifyRequestSchema, init);
        if (!isPlain(message)) return;
        plain += 1;
        expect(check(VerifyRequestSchema, message)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
    expect(plain).toBeGreaterThan(20);
  });

  it("is what callers send", () => {
    const init = { secret: "acme_live_x", keyspaceId, permissions: ["documents.read"] };
    for (const clientIp of ["", "0.0.0.0", "192.0.2.7", "255.255.255.255"])
      expect(isPlain(create(VerifyRequestSchema, { ...init, clientIp }))).toBe(true);
  });

  it("asks for no query, and is within each bound", () => {
    const init = { secret: "acme_live_x", keyspaceId };
    const beyond = [
      { query: {} },
      { secret: "x".repeat(4097) },
      { keyspaceId: "ks_1" },
      { permissions: Array.from({ length: 65 }, () => "a") },
      { permissions: ["a".repeat(129)] },
      { permissions: [""] },
      { permissions: ["a\0"] },
      { clientIp: "256.0.0.1" },
      { clientIp: "1.2.3" },
      { clientIp: "1.2.3.4." },
      { clientIp: "01.2.3.4" },
    ];
    for (const more of beyond)
      expect(isPlain(create(VerifyRequestSchema, { ...init, ...more })), JSON.stringify(more)).toBe(false);
  });
});
