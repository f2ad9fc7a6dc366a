import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "./address.ts";
import { type Cidr, parseCidr } from "./cidr.ts";
import { type DecideRequest, decide, type VerifyRecord } from "./decide.ts";
import { OUTCOMES, type Outcome } from "./outcome.ts";
import { compilePermissions } from "./permission.ts";

const NOW = Date.UTC(2025, 0, 1);

interface Case {
  readonly record?: Partial<VerifyRecord>;
  readonly request?: Partial<DecideRequest>;
}

type Decided = Exclude<Outcome, "malformed" | "rate_limited" | "credits_exhausted">;

/** What makes each outcome apply. No two set the same field to different values, so that any two can apply together. */
const causes: Record<Decided, Case> = {
  not_found: { record: { tenantId: "ten_other" } },
  wrong_keyspace: { record: { keyspaceId: "ks_other" } },
  revoked: { record: { revokeTime: NOW } },
  rotated: { record: { secretStopTime: NOW } },
  expired: { record: { expireTime: NOW } },
  not_yet_valid: { record: { notBeforeTime: NOW + 1 } },
  disabled: { record: { disabled: true } },
  owner_disabled: { record: { ownerDisabled: true } },
  keyspace_disabled: { record: { keyspaceDisabled: true } },
  tenant_suspended: { record: { tenantSuspended: true } },
  address_denied: { record: { allowedAddresses: [cidr("192.0.2.0/24")] } },
  insufficient_permissions: { request: { permissions: ["documents.write"] } },
  valid: {},
};

const decided = OUTCOMES.filter((outcome): outcome is Decided => Object.hasOwn(causes, outcome));
const pairs = decided.flatMap((earlier, index) => decided.slice(index + 1).map((later) => ({ earlier, later })));

describe("decide", () => {
  it.each(decided)("answers %s when only that applies", (outcome) => {
    expect(outcomeOf(causes[outcome])).toBe(outcome);
  });

  it.each(pairs)("answers $earlier rather than $later when both apply", ({ earlier, later }) => {
    expect(outcomeOf(causes[earlier], causes[later])).toBe(earlier);
  });

  it("was asked for every pair", () => {
    expect(pairs).toHaveLength((13 * 12) / 2);
  });

  it("answers the first in order of all that apply", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(decided), (applying) => {
        const first = decided.find((outcome) => outcome === "valid" || applying.includes(outcome));
        expect(outcomeOf(...applying.map((outcome) => causes[outcome]))).toBe(first);
      }),
    );
  });

  it("knows no record where there is none", () => {
    expect(decide(undefined, aRequest(), NOW)).toEqual({ outcome: "not_found", missingPermissions: [] });
  });

  it("hides a management key, also from its own tenant and keyspace", () => {
    expect(outcomeOf({ record: { management: true } })).toBe("not_found");
  });

  it.each<[string, Partial<VerifyRecord>, Outcome, Outcome]>([
    ["expires", { expireTime: NOW }, "valid", "expired"],
    ["becomes valid", { notBeforeTime: NOW }, "not_yet_valid", "valid"],
    ["is rotated away", { secretStopTime: NOW }, "valid", "rotated"],
  ])("a secret %s at the very millisecond", (_, facts, before, after) => {
    const record = aRecord(facts);
    expect(decide(record, aRequest(), NOW - 1).outcome).toBe(before);
    expect(decide(record, aRequest(), NOW).outcome).toBe(after);
  });

  it("never calls a revoked key valid, whatever the clock says", () => {
    fc.assert(
      fc.property(fc.integer(), (now) => {
        expect(decide(aRecord({ revokeTime: NOW }), aRequest(), now).outcome).toBe("revoked");
      }),
    );
  });
});

describe("decide, by address", () => {
  const record = aRecord({ allowedAddresses: [cidr("192.0.2.0/24"), cidr("2001:db8::/32")] });

  it.each([
    ["192.0.2.200", "valid"],
    ["::ffff:192.0.2.200", "valid"],
    ["2001:db8::7", "valid"],
    ["198.51.100.1", "address_denied"],
    ["2001:db9::7", "address_denied"],
  ])("from %s: %s", (text, outcome) => {
    expect(decide(record, aRequest({ clientIp: parseAddress(text) }), NOW).outcome).toBe(outcome);
  });

  it("refuses a key that is held to addresses when the address is not known", () => {
    expect(decide(record, aRequest({ clientIp: undefined }), NOW).outcome).toBe("address_denied");
  });

  it("lets a key that is held to none be used from anywhere", () => {
    expect(decide(aRecord(), aRequest({ clientIp: undefined }), NOW).outcome).toBe("valid");
    expect(decide(aRecord(), aRequest({ clientIp: parseAddress("198.51.100.1") }), NOW).outcome).toBe("valid");
  });
});

describe("decide, by permission", () => {
  const record = aRecord({ permissions: compilePermissions(["documents.read", "users.*"]) });

  it.each<[string, Partial<DecideRequest>, string[]]>([
    ["nothing", {}, []],
    ["a held one", { permissions: ["documents.read"] }, []],
    ["one below a wildcard", { permissions: ["users.a.b"] }, []],
    ["one that is not held", { permissions: ["documents.read", "documents.write"] }, ["documents.write"]],
    ["a satisfied query", { query: { anyOf: [{ permission: "a" }, { permission: "users.a" }] } }, []],
    ["a query that is not satisfied", { query: { allOf: [{ permission: "a" }, { permission: "b" }] } }, ["a", "b"]],
    ["both a list and a query", { permissions: ["a"], query: { permission: "b" } }, ["a", "b"]],
    ["a list that covers the query", { permissions: ["a.*"], query: { permission: "a.b" } }, ["a.*"]],
  ])("asked for %s", (_, request, missing) => {
    expect(decide(record, aRequest(request), NOW)).toEqual({
      outcome: missing.length === 0 ? "valid" : "insufficient_permissions",
      missingPermissions: missing,
    });
  });

  it("names no missing permissions with an earlier outcome", () => {
    const request = aRequest({ permissions: ["documents.write"] });
    expect(decide(aRecord({ disabled: true }), request, NOW)).toEqual({ outcome: "disabled", missingPermissions: [] });
  });
});

function outcomeOf(...cases: readonly Case[]): Outcome {
  const record = aRecord(Object.assign({}, ...cases.map((each) => each.record)));
  const request = aRequest(Object.assign({}, ...cases.map((each) => each.request)));
  return decide(record, request, NOW).outcome;
}

function aRecord(facts: Partial<VerifyRecord> = {}): VerifyRecord {
  return {
    tenantId: "ten_1",
    keyspaceId: "ks_1",
    keyId: "key_1",
    revokeTime: null,
    expireTime: null,
    notBeforeTime: null,
    disabled: false,
    secretStopTime: null,
    ownerDisabled: false,
    keyspaceDisabled: false,
    tenantSuspended: false,
    management: false,
    allowedAddresses: [],
    permissions: compilePermissions(["documents.read"]),
    ...facts,
  };
}

function aRequest(facts: Partial<DecideRequest> = {}): DecideRequest {
  return { tenantId: "ten_1", keyspaceId: "ks_1", permissions: [], ...facts };
}

function cidr(text: string): Cidr {
  const result = parseCidr(text);
  if (!result.ok) throw new Error(`${text}: ${result.problem}`);
  return result.cidr;
}
