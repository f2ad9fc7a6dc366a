import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { createScriptedLink, type ScriptedLink, type Step, serviceError } from "../../test/harness/scripted-link.ts";
import { ClavisError } from "../errors/clavis-error.ts";
import { Outcome } from "../gen/clavis/v1/verify_service_pb.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import { formatSecret } from "../rules/index.ts";
import { type Clavis, createClavisOver } from "./clavis.ts";
import { readOptions } from "./options.ts";

const keyspaceId = "ks_0123456789abcdefghjkmnpqrs";
const secret = formatSecret("acme_live", "a".repeat(43));
const misspelt = `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`;

describe("verify", () => {
  it("sends what cannot be told here, and gives back the verdict", async () => {
    const { link, clavis } = aClient({ outcome: Outcome.REVOKED });
    expect((await clavis.verify({ secret, keyspaceId, permissions: ["a.b"] })).outcome).toBe(Outcome.REVOKED);
    expect(link.sent).toMatchObject([{ method: "Verify", request: { secret, keyspaceId, permissions: ["a.b"] } }]);
  });

  it.each([misspelt, "", "with blank", "ü", "x".repeat(513)])("answers %j here, and sends nothing", async (junk) => {
    const { link, clavis } = aClient({ outcome: Outcome.VALID });
    expect((await clavis.verify({ secret: junk, keyspaceId })).outcome).toBe(Outcome.MALFORMED);
    expect(link.sent).toEqual([]);
  });

  it("keeps an outcome that it does not know", async () => {
    const { clavis } = aClient({ outcome: 99 });
    expect((await clavis.verify({ secret, keyspaceId })).outcome).toBe(99);
  });

  it("puts the query into the contract's words", async () => {
    const { link, clavis } = aClient({});
    const query = { allOf: [{ permission: "a" }, { anyOf: [{ permission: "b" }, { permission: "c" }] }] };
    await clavis.verify({ secret, keyspaceId, query });
    const permission = (value: string) => ({ condition: { case: "permission", value } });
    expect(link.sent[0]?.request).toMatchObject({
      query: {
        condition: {
          case: "allOf",
          value: {
            queries: [
              permission("a"),
              { condition: { case: "anyOf", value: { queries: [permission("b"), permission("c")] } } },
            ],
          },
        },
      },
    });
  });

  it("refuses a faulty query and says where", async () => {
    const { link, clavis } = aClient({});
    const query = { allOf: [{ permission: "a" }, { anyOf: [] }] };
    await expect(clavis.verify({ secret, keyspaceId, query })).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "query.allOf[1].anyOf" }],
    });
    expect(link.sent).toEqual([]);
  });
});

describe("batchVerify", () => {
  it("answers each in its place, sending only what may be a secret", async () => {
    const results = [
      { result: { case: "response", value: { outcome: Outcome.VALID } } },
      { result: { case: "error", value: create(StatusSchema, { code: Code.Unavailable, message: `no ${secret}` }) } },
    ];
    const { link, clavis } = aClient({ results });
    const answers = await clavis.batchVerify([
      { secret, keyspaceId },
      { secret: misspelt, keyspaceId },
      { secret, keyspaceId },
    ]);
    expect(answers).toMatchObject([
      { outcome: Outcome.VALID },
      { outcome: Outcome.MALFORMED },
      { reason: "UNREACHABLE", code: "UNAVAILABLE", message: "no [hidden]" },
    ]);
    expect(answers[2]).toBeInstanceOf(ClavisError);
    expect(link.sent[0]?.request).toMatchObject({ requests: [{ secret }, { secret }] });
  });

  it("sends nothing when there is nothing to ask", async () => {
    const { link, clavis } = aClient({});
    expect(await clavis.batchVerify([])).toEqual([]);
    expect(await clavis.batchVerify([{ secret: misspelt, keyspaceId }])).toMatchObject([
      { outcome: Outcome.MALFORMED },
    ]);
    expect(link.sent).toEqual([]);
  });

  it("takes a missing answer for an error, never for another's", async () => {
    const { clavis } = aClient({ results: [{ result: { case: "response", value: { outcome: Outcome.VALID } } }] });
    const answers = await clavis.batchVerify([
      { secret, keyspaceId },
      { secret, keyspaceId },
    ]);
    expect(answers).toMatchObject([{ outcome: Outcome.VALID }, { reason: "UNKNOWN" }]);
  });

  it("fails as a whole when the call does", async () => {
    const { clavis } = aClient(serviceError(Code.Unauthenticated, "CREDENTIAL_REJECTED"));
    await expect(clavis.batchVerify([{ secret, keyspaceId }])).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });
  });
});

function aClient(step: Step): { link: ScriptedLink; clavis: Clavis } {
  const link = createScriptedLink(step);
  return { link, clavis: createClavisOver(link, readOptions({ baseUrl: "http://localhost", token: "t" }).config) };
}
