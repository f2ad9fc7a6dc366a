import { describe, expect, it } from "vitest";
import { Outcome } from "../gen/clavis/v1/verify_service_pb.ts";
import { outcomeName, refusalFor } from "./refusal.ts";
import { responseFor } from "./response.ts";

const challenge = { header: "authorization", realm: "documents" };
const denials = Object.values(Outcome).filter(
  (outcome) => outcome !== Outcome.VALID && outcome !== Outcome.UNSPECIFIED,
);

describe("an outcome", () => {
  it.each<[keyof typeof Outcome, number]>([
    ["MALFORMED", 401],
    ["NOT_FOUND", 401],
    ["WRONG_KEYSPACE", 401],
    ["REVOKED", 401],
    ["ROTATED", 401],
    ["EXPIRED", 401],
    ["NOT_YET_VALID", 401],
    ["DISABLED", 401],
    ["OWNER_DISABLED", 401],
    ["KEYSPACE_DISABLED", 401],
    ["TENANT_SUSPENDED", 401],
    ["ADDRESS_DENIED", 403],
    ["INSUFFICIENT_PERMISSIONS", 403],
    ["RATE_LIMITED", 429],
    ["CREDITS_EXHAUSTED", 429],
    ["UNSPECIFIED", 503],
  ])("%s answers %i", (name, status) => {
    expect(outcomeName(Outcome[name])).toBe(name);
    expect(responseTo(Outcome[name]).status).toBe(status);
  });

  it("lets nothing pass but VALID", () => {
    expect(refusalFor(Outcome.VALID, [])).toBeUndefined();
    expect(denials).toHaveLength(15);
    for (const outcome of [...denials, Outcome.UNSPECIFIED, 17, 99, -1]) {
      expect(refusalFor(outcome, []), String(outcome)).toBeDefined();
    }
  });

  it("of a newer service is denied, under a name that says which", () => {
    expect(responseTo(99).status).toBe(403);
    expect(outcomeName(99)).toBe("OUTCOME_99");
  });

  it("does not tell in which way a key does not hold", () => {
    const refused = denials.map(responseTo).filter(({ status }) => status === 401);
    expect(refused).toHaveLength(11);
    expect(new Set(refused.map((response) => JSON.stringify(response))).size).toBe(1);
  });
});

describe("a response", () => {
  it("without a credential has a challenge without an error code", () => {
    expect(parsed(responseFor({ kind: "missing" }, challenge))).toEqual({
      status: 401,
      headers: {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "www-authenticate": 'Bearer realm="documents"',
      },
      body: {
        type: "about:blank",
        title: "Unauthorized",
        status: 401,
        detail: "an API key is needed, in the authorization header",
      },
    });
  });

  it("to a key that does not hold says invalid_token", () => {
    expect(parsed(responseTo(Outcome.REVOKED))).toMatchObject({
      headers: { "www-authenticate": 'Bearer realm="documents", error="invalid_token"' },
      body: { error: "invalid_token", detail: "the API key is not valid" },
    });
  });

  it("to what nobody can read says invalid_request", () => {
    expect(parsed(responseFor({ kind: "unusable", problem: "more than one API key" }, challenge))).toMatchObject({
      status: 400,
      headers: { "www-authenticate": 'Bearer realm="documents", error="invalid_request"' },
      body: { title: "Bad Request", error: "invalid_request", detail: "more than one API key" },
    });
  });

  it("to a lack of permissions names them, in the header only as far as they fit there", () => {
    const missing = ["documents.read", 'quote"', "documents.write"];
    expect(parsed(responseFor({ kind: "insufficient_permissions", missing }, challenge))).toMatchObject({
      status: 403,
      headers: {
        "www-authenticate":
          'Bearer realm="documents", error="insufficient_scope", scope="documents.read documents.write"',
      },
      body: { error: "insufficient_scope", missing_permissions: missing },
    });
  });

  it.each([
    [undefined, "1"],
    [1, "1"],
    [1_001, "2"],
  ])("that could not be told says when to come back: after %s ms", (retryAfterMs, seconds) => {
    const response = responseFor({ kind: "undecided", retryAfterMs }, challenge);
    expect(response).toMatchObject({ status: 503, headers: { "retry-after": seconds } });
    expect(response.headers).not.toHaveProperty("www-authenticate");
  });

  it("names a header of one's own in the challenge", () => {
    const own = { header: "x-api-key", realm: "documents" };
    expect(responseFor({ kind: "missing" }, own).headers).toMatchObject({
      "www-authenticate": 'ApiKey realm="documents", header="x-api-key"',
    });
  });

  it("may never be kept by a cache", () => {
    for (const outcome of denials) expect(responseTo(outcome).headers).toMatchObject({ "cache-control": "no-store" });
  });
});

function responseTo(outcome: number) {
  const refusal = refusalFor(outcome, ["documents.read"]);
  if (refusal === undefined) throw new Error("this outcome is no refusal");
  return responseFor(refusal, challenge);
}

function parsed(response: ReturnType<typeof responseFor>): object {
  return { ...response, body: JSON.parse(response.body) };
}
