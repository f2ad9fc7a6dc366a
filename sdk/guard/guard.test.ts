import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { VerifyInput } from "../client/verify.ts";
import { ClavisError } from "../errors/clavis-error.ts";
import { Outcome, VerifyResponseSchema } from "../gen/clavis/v1/verify_service_pb.ts";
import { checkPermissions, createGuard, type Decision, refuseBadPermissions } from "./guard.ts";
import type { GuardOptions } from "./options.ts";

const keyspaceId = "ks_0123456789abcdefghjkmnpqrs";
const otherKeyspaceId = "ks_1123456789abcdefghjkmnpqrs";
const secret = "a-foreign-secret";
const expireTime = new Date("2027-01-01T00:00:00Z");
const key = {
  id: "key_1",
  keyspaceId,
  ownerId: "customer-7",
  displayName: "billing",
  permissions: ["documents.*"],
  metadata: { plan: "pro" },
  expireTime: timestampFromDate(expireTime),
};
const valid = { outcome: Outcome.VALID, key };

describe("a guard", () => {
  it("admits a valid key with its facts and without its secret", async () => {
    const { clavis } = aVerifier(valid);
    const decision = await check({ clavis });
    if (!decision.admitted) throw new Error(decision.response.body);
    const { apiKey } = decision;
    expect(apiKey).toMatchObject({
      keyId: "key_1",
      keyspaceId,
      ownerId: "customer-7",
      displayName: "billing",
      expireTime,
      degraded: false,
    });
    expect(apiKey).toMatchObject({ permissions: ["documents.*"], metadata: { plan: "pro" } });
    expect([apiKey.has("documents.read"), apiKey.has("billing.read")]).toEqual([true, false]);
    expect(JSON.stringify(apiKey)).not.toContain(secret);
    expect(decision.verdict).toEqual({ admitted: true, outcome: "VALID", apiKey, error: undefined });
  });

  it("admits a key that the service knows from before, and says so", async () => {
    const { clavis } = aVerifier({ ...valid, degraded: true });
    expect(await check({ clavis })).toMatchObject({
      admitted: true,
      apiKey: { degraded: true },
      verdict: { outcome: "VALID", apiKey: { degraded: true } },
    });
  });

  it("asks for all that it was told to", async () => {
    const { clavis, asked } = aVerifier(valid);
    const query = { anyOf: [{ permission: "documents.write" }] };
    await check({ clavis, permissions: ["documents.read"], query }, { clientIp: "::ffff:192.0.2.1" });
    expect(asked).toEqual([{ secret, keyspaceId, permissions: ["documents.read"], query, clientIp: "192.0.2.1" }]);
  });

  it.each(["unknown", "fe80::1%eth0", undefined])("gives no address rather than the bad one %s", async (clientIp) => {
    const { clavis, asked } = aVerifier(valid);
    await check({ clavis }, { clientIp });
    expect(asked).toMatchObject([{ clientIp: undefined }]);
  });

  it.each([
    ["nothing", [], 401],
    ["something unreadable", ["Bearer a b"], 400],
    ["several keys", ["Bearer a", "Bearer b"], 400],
  ])("asks nobody about %s", async (_, values, status) => {
    const { clavis, asked } = aVerifier(valid);
    expect(await check({ clavis }, { values })).toMatchObject({
      admitted: false,
      response: { status },
      verdict: undefined,
    });
    expect(asked).toEqual([]);
  });

  it("tells of a refused key which one it was", async () => {
    const { clavis } = aVerifier({ outcome: Outcome.REVOKED, key });
    const decision = await check({ clavis });
    expect(decision).toMatchObject({ admitted: false, response: { status: 401 } });
    expect(decision.verdict).toMatchObject({ admitted: false, outcome: "REVOKED", apiKey: { keyId: "key_1" } });
  });

  it.each<[string, () => never]>([
    ["a ClavisError", () => fail(new ClavisError({ ...unreachable, retryAfterMs: 2_500 }))],
    ["anything else", () => fail(new RangeError("a bug"))],
  ])("answers 503, never 401, when asking ends in %s", async (_, verify) => {
    const decision = await check({ clavis: { verify: async () => verify() } });
    expect(decision).toMatchObject({ admitted: false, response: { status: 503 }, verdict: { outcome: undefined } });
  });

  it("passes on how long to wait when the service knows of too many unknown secrets, and blames nobody for it", async () => {
    const flooded = {
      reason: "TOO_MANY_UNKNOWN_SECRETS",
      code: "RESOURCE_EXHAUSTED",
      message: "later",
      retryable: true,
      retryAfterMs: 2_500,
    } as const;
    const decision = await check({ clavis: { verify: async () => fail(new ClavisError(flooded)) } });
    expect(decision).toMatchObject({
      response: { status: 503, headers: { "retry-after": "3" } },
      verdict: { outcome: undefined, error: { reason: "TOO_MANY_UNKNOWN_SECRETS" } },
    });
  });

  it("answers 503 when a valid verdict has no key", async () => {
    const { clavis } = aVerifier({ outcome: Outcome.VALID });
    expect(await check({ clavis })).toMatchObject({ admitted: false, response: { status: 503 } });
  });
});

describe("a later guard of the same request", () => {
  it("decides from what the first has learnt", async () => {
    const { clavis, asked } = aVerifier(valid);
    const request = {};
    expect((await check({ clavis }, { request })).admitted).toBe(true);
    expect((await check({ clavis, permissions: ["documents.read"] }, { request })).admitted).toBe(true);
    const query = { anyOf: [{ permission: "billing.read" }] };
    const decision = await check({ clavis, permissions: ["billing.write", "documents.read"], query }, { request });
    expect(decision.verdict).toMatchObject({ admitted: false, outcome: "INSUFFICIENT_PERMISSIONS" });
    expect(bodyOf(decision)).toMatchObject({ status: 403, missing_permissions: ["billing.write", "billing.read"] });
    expect(asked).toHaveLength(1);
  });

  it("refuses a key of another keyspace", async () => {
    const { clavis, asked } = aVerifier(valid);
    const request = {};
    await check({ clavis }, { request });
    const decision = await check({ clavis, keyspaceId: otherKeyspaceId }, { request });
    expect(decision).toMatchObject({ response: { status: 401 }, verdict: { outcome: "WRONG_KEYSPACE" } });
    expect(asked).toHaveLength(1);
  });

  it("asks about another secret, and by another client", async () => {
    const { clavis, asked } = aVerifier(valid, valid);
    const other = aVerifier(valid);
    const request = {};
    await check({ clavis }, { request });
    await check({ clavis, header: "x-api-key" }, { request, values: ["another-secret"] });
    await check({ clavis: other.clavis }, { request, values: ["Bearer another-secret"] });
    expect(asked.map((input) => input.secret)).toEqual([secret, "another-secret"]);
    expect(other.asked).toHaveLength(1);
  });

  it("knows nothing of other requests", async () => {
    const { clavis, asked } = aVerifier(valid, valid);
    await check({ clavis });
    await check({ clavis });
    expect(asked).toHaveLength(2);
  });
});

describe("checkPermissions", () => {
  it("decides from the verified key", async () => {
    const request = {};
    await check({ clavis: aVerifier(valid).clavis, realm: "documents" }, { request });
    expect(checkPermissions(request, ["documents.read", "documents.write"])).toBeUndefined();
    expect(checkPermissions(request, ["documents.read", "billing.read"])).toMatchObject({
      status: 403,
      headers: { "www-authenticate": 'Bearer realm="documents", error="insufficient_scope", scope="billing.read"' },
    });
  });

  it("throws where no guard has admitted the request", async () => {
    const request = {};
    await check({ clavis: aVerifier({ outcome: Outcome.REVOKED, key }).clavis }, { request });
    expect(() => checkPermissions(request, ["documents.read"])).toThrow(/no requireApiKey/);
  });
});

describe("the options", () => {
  it("are refused with all mistakes at once", () => {
    const options = {
      clavis: {},
      keyspaceId: "acme",
      permissions: ["documents.*"],
      query: { anyOf: [] },
      header: "x api key",
      realm: '"',
    } as unknown as GuardOptions;
    const everything =
      /^requireApiKey: clavis: .*; keyspaceId: .*; permissions: .*; query: anyOf: .*; header: .*; realm: /;
    expect(() => createGuard(options)).toThrow(everything);
  });

  it("are refused where no key could have the permission", () => {
    expect(() => refuseBadPermissions(["Documents.Read"])).toThrow(/"Documents.Read"/);
    expect(() => refuseBadPermissions([])).toThrow(/at least one/);
    expect(() => refuseBadPermissions(["documents.read"])).not.toThrow();
  });
});

const unreachable = { reason: "UNREACHABLE", code: "UNAVAILABLE", message: "gone", retryable: true } as const;

function fail(error: Error): never {
  throw error;
}

function aVerifier(...answers: MessageInitShape<typeof VerifyResponseSchema>[]) {
  const asked: VerifyInput[] = [];
  const clavis = {
    async verify(input: VerifyInput) {
      const answer = answers[asked.length];
      asked.push(input);
      if (answer === undefined) throw new Error("asked too often");
      return create(VerifyResponseSchema, answer);
    },
  };
  return { clavis, asked };
}

interface CheckParts {
  request?: object;
  values?: string[];
  clientIp?: string | undefined;
}

function check(
  options: Partial<GuardOptions> & Pick<GuardOptions, "clavis">,
  parts: CheckParts = {},
): Promise<Decision> {
  const { request = {}, values = [`Bearer ${secret}`], clientIp } = parts;
  const { signal } = new AbortController();
  return createGuard({ keyspaceId, ...options }).check({ request, values, clientIp, signal });
}

function bodyOf(decision: Decision): object {
  if (decision.admitted) throw new Error("it was admitted");
  return JSON.parse(decision.response.body);
}
