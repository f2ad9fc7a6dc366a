import { hash } from "node:crypto";
import { compilePermissions, formatSecret } from "@clavis/sdk/rules";
import { describe, expect, it } from "vitest";
import { rightsOf } from "../access/rights.ts";
import type { Call } from "../call.ts";
import { Secret } from "../secret.ts";
import type { KnownSecret } from "./known-secret.ts";
import type { RecordSource } from "./record-source.ts";
import { createVerifyService, type VerifyRequest } from "./verify-service.ts";

const tenantId = "ten_1";
const keyspaceId = "ks_1";
const now = Date.UTC(2026, 0, 1);
const good = formatSecret("acme_live", "a".repeat(43));

const junk = [
  ["nothing", ""],
  ["a typo in a secret", `${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`],
  ["a blank in it", "sk 1234"],
  ["a control character", "sk\u00001234"],
  ["what is not ASCII", "schlüssel"],
  ["513 characters", "x".repeat(513)],
  ["4,096 characters", "x".repeat(4096)],
] as const;

describe("verify", () => {
  it.each(junk)("turns away %s without asking the store", async (_, text) => {
    const { service, asked } = aService();
    const answer = await service.verify(aCall(), aRequest(text));
    expect(answer).toEqual({ outcome: "malformed", missingPermissions: [], known: undefined, degraded: false });
    expect(asked).toEqual([]);
  });

  it("asks the store once for what may exist", async () => {
    const { service, asked } = aService();
    expect(await service.verify(aCall(), aRequest(good))).toMatchObject({ outcome: "valid" });
    expect(asked).toEqual([hash("sha256", good, "hex")]);
    expect(await service.verify(aCall(), aRequest("sk-foreign"))).toMatchObject({ outcome: "not_found" });
    expect(asked).toHaveLength(2);
  });

  it("refuses what cannot be decided before asking the store", () => {
    const { service, asked } = aService();
    const bad = { ...aRequest(good), permissions: ["documents.*"] };
    expect(() => service.verify(aCall(), bad)).toThrow("INVALID_REQUEST");
    const notMine = { ...aCall(), rights: rightsTo(["ks_2"]) };
    expect(() => service.verify(notMine, aRequest(good))).toThrow("KEYSPACE_NOT_FOUND");
    expect(asked).toEqual([]);
  });
});

describe("verifyBatch", () => {
  it("asks for what may exist, and not at all for junk", async () => {
    const { service, asked } = aService();
    const texts = [junk[1][1], good, "sk-foreign", junk[5][1]];
    const answers = await service.verifyBatch(aCall(), texts.map(aRequest));
    expect(answers.map((answer) => "outcome" in answer && answer.outcome)).toEqual([
      "malformed",
      "valid",
      "not_found",
      "malformed",
    ]);
    expect(asked).toEqual([good, "sk-foreign"].map((text) => hash("sha256", text, "hex")));
  });

  it("asks nothing for junk alone, nor for items that cannot be decided", async () => {
    const { service, asked } = aService();
    const requests = junk.map(([, text]) => aRequest(text));
    const bad = { ...aRequest(good), query: { anyOf: [{ permission: "NO" }] } };
    const answers = await service.verifyBatch(aCall(), [...requests, bad]);
    expect(answers.map((answer) => ("outcome" in answer ? answer.outcome : answer.failure))).toEqual([
      ...requests.map(() => "malformed"),
      {
        reason: "INVALID_REQUEST",
        violations: [
          { field: "query.any_of.queries[0].permission", description: "not a permission, or one with a wildcard" },
        ],
      },
    ]);
    expect(asked).toEqual([]);
  });
});

function aService() {
  const asked: string[] = [];
  const source: RecordSource = {
    async find({ digest }) {
      asked.push(digest);
      return { known: digest === hash("sha256", good, "hex") ? aKnownSecret() : undefined, degraded: false };
    },
    read: async () => [],
  };
  return { service: createVerifyService({ source, clock: () => now }), asked };
}

function aRequest(text: string): VerifyRequest {
  return { secret: new Secret(text), keyspaceId, permissions: [], query: undefined, clientIp: "" };
}

function aCall(): Call {
  return {
    id: "call_1",
    principal: { type: "management_key", tenantId, keyId: "key_0" },
    rights: rightsTo([]),
    address: "",
    userAgent: "",
    signal: new AbortController().signal,
  };
}

function rightsTo(keyspaceIds: readonly string[]) {
  return rightsOf({ permissions: ["clavis.verify"], keyspaceIds, addresses: [], expireTime: null });
}

function aKnownSecret(): KnownSecret {
  return {
    record: {
      tenantId,
      keyspaceId,
      keyId: "key_1",
      secretStopTime: null,
      revokeTime: null,
      expireTime: null,
      notBeforeTime: null,
      disabled: false,
      ownerDisabled: false,
      keyspaceDisabled: false,
      tenantSuspended: false,
      management: false,
      allowedAddresses: [],
      permissions: compilePermissions([]),
    },
    facts: { keyId: "key_1", keyspaceId, ownerId: "", displayName: "x", permissions: [], metadata: {} },
    allowedKeyspaceIds: [],
    imported: false,
    entities: [],
    keyspaceMode: { mode: "available", settled: true },
  };
}
