import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Outcome, type Timestamp, timestampDate } from "@clavis/sdk";
import { formatSecret } from "@clavis/sdk/rules";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  type BatchVerifyResult,
  type PermissionQuerySchema,
  type VerifyRequestSchema,
  type VerifyResponse,
  VerifyService,
} from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../sdk/gen/google/rpc/error_details_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { type KeyInit, openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
// Past the SDK, which turns junk away by itself.
const raw = home.rpc(VerifyService);
const MINUTE = 60 * 1000;

type Request = MessageInitShape<typeof VerifyRequestSchema>;
type Query = MessageInitShape<typeof PermissionQuerySchema>;

describe("an outcome", () => {
  it("is the first that applies, in the order of the contract", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { id: otherId } = await home.newKeyspace();
    const { key, secret } = await home.newKey(keyspaceId, {
      permissions: ["documents.*"],
      allowedAddresses: ["192.0.2.0/24"],
    });
    const ask = async (request: Request) => (await raw.verify({ secret, keyspaceId, ...request })).outcome;
    const wanting = { permissions: ["documents.read", "billing.read"], clientIp: "192.0.2.1" };
    const everything = { ...wanting, clientIp: "203.0.113.1" };

    expect(await ask({ permissions: ["documents.read"], clientIp: "192.0.2.1" })).toBe(Outcome.VALID);
    expect(await ask(wanting)).toBe(Outcome.INSUFFICIENT_PERMISSIONS);
    expect(await ask(everything)).toBe(Outcome.ADDRESS_DENIED);
    await home.clavis.keyspaces.update(keyspaceId, { disabled: true });
    expect(await ask(everything)).toBe(Outcome.KEYSPACE_DISABLED);
    await home.clavis.keys.disable(key.id);
    expect(await ask(everything)).toBe(Outcome.DISABLED);
    const times = { notBeforeTime: time.date(20 * MINUTE), expireTime: time.date(30 * MINUTE) };
    await home.clavis.keys.update(key.id, times);
    expect(await ask(everything)).toBe(Outcome.NOT_YET_VALID);
    const { secret: young } = await home.clavis.keys.rotate(key.id, { overlap: { minutes: 10 } });
    expect(await ask(everything)).toBe(Outcome.NOT_YET_VALID);
    time.advance(10 * MINUTE);
    expect(await ask(everything)).toBe(Outcome.ROTATED);
    expect(await ask({ ...everything, secret: young })).toBe(Outcome.NOT_YET_VALID);
    time.advance(20 * MINUTE);
    expect(await ask(everything)).toBe(Outcome.ROTATED);
    expect(await ask({ ...everything, secret: young })).toBe(Outcome.EXPIRED);
    await home.clavis.keys.revoke(key.id);
    for (const one of [secret, young]) expect(await ask({ ...everything, secret: one })).toBe(Outcome.REVOKED);
    expect(await ask({ ...everything, keyspaceId: otherId })).toBe(Outcome.WRONG_KEYSPACE);
    expect(await ask({ ...everything, keyspaceId: `ks_${"0".repeat(26)}` })).toBe(Outcome.WRONG_KEYSPACE);
    await home.clavis.keys.delete(key.id);
    expect(await ask({ ...everything, keyspaceId: otherId })).toBe(Outcome.NOT_FOUND);
    const misspelt = `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`;
    expect(await ask({ ...everything, keyspaceId: otherId, secret: misspelt })).toBe(Outcome.MALFORMED);
  });

  it("of another tenant's secret is NOT_FOUND, in that tenant's keyspace as well", async () => {
    await using other = await openTenantHome(service);
    const { id: keyspaceId } = await other.newKeyspace();
    const { id: mine } = await home.newKeyspace();
    const { secret } = await other.newKey(keyspaceId);
    for (const id of [keyspaceId, mine]) {
      const answer = await raw.verify({ secret, keyspaceId: id });
      expect(answer).toMatchObject({ outcome: Outcome.NOT_FOUND });
      expect(answer.key).toBeUndefined();
    }
  });

  it.each([
    ["nothing", ""],
    ["a blank", "acme live"],
    ["another alphabet", "ключ"],
    ["a new line", "acme_live_\n"],
    ["513 characters", "x".repeat(513)],
    ["4,096 characters", "x".repeat(4096)],
  ])("of %s is MALFORMED", async (_, secret) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const answer = await raw.verify({ secret, keyspaceId });
    expect(answer).toMatchObject({ outcome: Outcome.MALFORMED, missingPermissions: [] });
    expect(answer.message).not.toBe("");
    expect(answer.key).toBeUndefined();
  });

  it("of a sound secret that nobody made is NOT_FOUND", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    for (const secret of [formatSecret("acme_live", "a".repeat(43)), "sk-1234", "x".repeat(512)])
      expect((await raw.verify({ secret, keyspaceId })).outcome).toBe(Outcome.NOT_FOUND);
  });
});

describe("time", () => {
  it("ends a key at the very millisecond, and begins it so", async () => {
    const [begin, end] = [time.date(1234), time.date(5678)];
    const { ask } = await newKey({ notBeforeTime: begin, expireTime: end });
    time.advance(1233);
    expect((await ask()).outcome).toBe(Outcome.NOT_YET_VALID);
    time.advance(1);
    expect((await ask()).outcome).toBe(Outcome.VALID);
    time.advance(5678 - 1234 - 1);
    expect((await ask()).outcome).toBe(Outcome.VALID);
    time.advance(1);
    expect((await ask()).outcome).toBe(Outcome.EXPIRED);
  });
});

describe("a verdict", () => {
  it("tells the facts of the key, whatever the outcome is but for secrets that are not the caller's affair", async () => {
    const { key, ask } = await newKey({
      displayName: "Facts",
      ownerId: "customer-7",
      permissions: ["documents.*", "b"],
      metadata: { plan: "pro", limits: [1, 2.5, null, { deep: true }] },
      ttl: { minutes: 1 },
    });
    const facts = {
      id: key.id,
      keyspaceId: key.keyspaceId,
      ownerId: "customer-7",
      displayName: "Facts",
      permissions: ["documents.*", "b"],
      metadata: { plan: "pro", limits: [1, 2.5, null, { deep: true }] },
    };
    const valid = await ask();
    expect(valid).toMatchObject({ outcome: Outcome.VALID, key: facts, missingPermissions: [] });
    expect(dateOf(valid.key?.expireTime)).toEqual(dateOf(key.expireTime));
    expect(valid.key?.secretStopTime).toBeUndefined();
    expect(await ask({ permissions: ["x"] })).toMatchObject({ outcome: Outcome.INSUFFICIENT_PERMISSIONS, key: facts });
    time.advance(MINUTE);
    expect(await ask()).toMatchObject({ outcome: Outcome.EXPIRED, key: facts });
    const wrong = await ask({ keyspaceId: (await home.newKeyspace()).id });
    expect(wrong.outcome).toBe(Outcome.WRONG_KEYSPACE);
    expect(wrong.key).toBeUndefined();
    expect(wrong.message).not.toContain(key.id);
  });
});

describe("permissions", () => {
  const held = ["documents.*", "billing.read", "users"];

  it.each<[string[], string[]]>([
    [[], []],
    [["documents.read", "documents.drafts.write", "billing.read", "users"], []],
    [["documents"], ["documents"]],
    [["documentsearch.read"], ["documentsearch.read"]],
    [["users.read"], ["users.read"]],
    [
      ["billing.write", "documents.read", "admin", "billing.write"],
      ["billing.write", "admin"],
    ],
  ])("%j are all needed: %j are missing", async (permissions, missing) => {
    const { ask } = await newKey({ permissions: held });
    const outcome = missing.length === 0 ? Outcome.VALID : Outcome.INSUFFICIENT_PERMISSIONS;
    expect(await ask({ permissions })).toMatchObject({ outcome, missingPermissions: missing });
  });

  it.each<[string, Query, string[]]>([
    ["one that is held", one("billing.read"), []],
    ["one that is not", one("admin"), ["admin"]],
    ["any of two, the second held", anyOf(one("admin"), one("users")), []],
    ["any of two, none held: the first is enough", anyOf(one("a"), one("b")), ["a"]],
    ["any of two ways, the shorter one is told", anyOf(allOf(one("a"), one("b")), one("c")), ["c"]],
    ["all of two, one held", allOf(one("users"), one("admin")), ["admin"]],
    ["a tree", allOf(anyOf(one("x"), one("documents.read")), anyOf(one("y"), allOf(one("z"), one("users")))), ["y"]],
  ])("are asked for as a query of %s", async (_, query, missing) => {
    const { ask } = await newKey({ permissions: held });
    const outcome = missing.length === 0 ? Outcome.VALID : Outcome.INSUFFICIENT_PERMISSIONS;
    expect(await ask({ query })).toMatchObject({ outcome, missingPermissions: missing });
  });

  it("of a list and of a query are needed both, and what the list lacks is not told twice", async () => {
    const { ask, key } = await newKey({ permissions: held });
    const request = { permissions: ["admin"], query: allOf(one("admin"), one("c")) };
    const answer = await ask(request);
    expect(answer.missingPermissions).toEqual(["admin", "c"]);
    // They suffice, as promised.
    await home.clavis.keys.update(key.id, { permissions: [...held, ...answer.missingPermissions] });
    expect((await ask(request)).outcome).toBe(Outcome.VALID);
  });
});

describe("a request that cannot be decided", () => {
  const deep = (levels: number): Query => (levels === 1 ? one("a") : allOf(deep(levels - 1)));
  const wide = (terms: number): Query => allOf(...Array.from({ length: terms - 1 }, () => one("a")));
  const groups = allOf(...Array.from({ length: 33 }, () => allOf(one("a"))));

  it.each<[string, string, Request]>([
    ["a wildcard", "permissions[1]", { permissions: ["a", "documents.*"] }],
    ["what is no permission", "permissions[0]", { permissions: ["A B"] }],
    ["65 permissions", "permissions", { permissions: Array.from({ length: 65 }, (_, index) => `p${index}`) }],
    ["no keyspace", "keyspace_id", { keyspaceId: "" }],
    ["no address", "client_ip", { clientIp: "example.com" }],
    ["a network for an address", "client_ip", { clientIp: "192.0.2.0/24" }],
    ["4,097 characters", "secret", { secret: "x".repeat(4097) }],
    ["a query of no permission", "query.any_of.queries[1].permission", { query: anyOf(one("a"), one("A")) }],
    ["an empty condition", "query.all_of.queries[0].condition", { query: allOf({}) }],
    ["an empty query", "query.condition", { query: {} }],
    ["any of nothing", "query.any_of.queries", { query: anyOf() }],
    ["a query 9 deep", `query.${"all_of.queries[0].".repeat(8).slice(0, -1)}`, { query: deep(9) }],
    ["65 terms", "query.all_of.queries[63]", { query: wide(65) }],
    ["33 groups of one", "query.all_of.queries[31].all_of.queries[0]", { query: groups }],
  ])("is refused, naming the field: %s", async (_, field, request) => {
    const { secret, key } = await newKey();
    const error = await errorOf(raw.verify({ secret, keyspaceId: key.keyspaceId, ...request }));
    expect(error).toMatchObject({ code: "InvalidArgument", reason: "INVALID_REQUEST" });
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(JSON.stringify(error)).not.toContain(secret);
  });

  it("is not one at the limits: 8 deep, 64 terms, 64 permissions", async () => {
    const { ask } = await newKey({ permissions: ["*"] });
    expect((await ask({ query: deep(8) })).outcome).toBe(Outcome.VALID);
    expect((await ask({ query: wide(64) })).outcome).toBe(Outcome.VALID);
    const permissions = Array.from({ length: 64 }, (_, index) => `p${index}`);
    expect((await ask({ permissions })).outcome).toBe(Outcome.VALID);
  });
});

describe("BatchVerify", () => {
  it("answers each item by itself, in the order asked for", async () => {
    const { secret, key } = await newKey({ permissions: ["a"] });
    const { keyspaceId } = key;
    const { results } = await raw.batchVerify({
      requests: [
        { secret, keyspaceId, permissions: ["a"] },
        { secret: "sk-nobody", keyspaceId },
        { secret, keyspaceId, permissions: ["a.*", "B"] },
        { secret, keyspaceId: "nonsense", clientIp: "nowhere" },
        { secret: "not a secret", keyspaceId },
        { secret, keyspaceId, permissions: ["b"] },
        { secret, keyspaceId, query: {} },
        { secret, keyspaceId },
      ],
    });
    expect(results.map(summaryOf)).toEqual([
      Outcome.VALID,
      Outcome.NOT_FOUND,
      ["permissions[0]"],
      ["keyspace_id", "client_ip"],
      Outcome.MALFORMED,
      Outcome.INSUFFICIENT_PERMISSIONS,
      ["query.condition"],
      Outcome.VALID,
    ]);
  });

  it("gives for a failed item what Verify would have failed with", async () => {
    const { secret, key } = await newKey();
    const items: Request[] = [
      { secret, keyspaceId: key.keyspaceId, permissions: ["A"] },
      { secret, keyspaceId: "nonsense" },
    ];
    const { results } = await raw.batchVerify({ requests: items });
    for (const [index, item] of items.entries()) {
      const alone = await errorOf(raw.verify(item));
      const status = statusOf(results[index]);
      expect(status.code).toBe(Code[alone.code]);
      expect(status.message).toBe(alone.message);
      expect(status.details.map(({ typeUrl }) => typeUrl)).toEqual(
        alone.detailTypes.map((type) => `type.googleapis.com/${type}`),
      );
      const info = status.details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((one) => one !== undefined);
      expect(info).toMatchObject({ reason: alone.reason, domain: "clavis.dev", metadata: alone.facts });
    }
    expect(results).toHaveLength(2);
  });

  it("fails items of keyspaces that are out of the caller's sight, and only these", async () => {
    const { secret, key } = await newKey();
    const other = await home.newKeyspace();
    const init = { permissions: ["clavis.verify"], allowedKeyspaceIds: [key.keyspaceId] };
    const { clavis } = await home.newManagementKey(init);
    const answers = await clavis.batchVerify([
      { secret, keyspaceId: other.id },
      { secret, keyspaceId: key.keyspaceId },
    ]);
    expect(answers).toMatchObject([
      { reason: "KEYSPACE_NOT_FOUND", code: "NOT_FOUND", facts: { keyspace_id: other.id } },
      { outcome: Outcome.VALID },
    ]);
  });

  it("takes 1 to 256 items", async () => {
    const { secret, key } = await newKey();
    const item = { secret, keyspaceId: key.keyspaceId };
    const { results } = await raw.batchVerify({ requests: Array.from({ length: 256 }, () => item) });
    expect(results.map(summaryOf)).toEqual(Array(256).fill(Outcome.VALID));
    for (const count of [0, 257]) {
      const error = await errorOf(raw.batchVerify({ requests: Array.from({ length: count }, () => item) }));
      expect(error).toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field: "requests" }] });
    }
  });

  it("knows 256 different secrets apart", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const keys = Array.from({ length: 128 }, (_, index) => ({ displayName: `${index}` }));
    const created = await home.clavis.keys.batchCreate({ keyspaceId, keys });
    const requests = created.flatMap(({ secret }) => [
      { secret, keyspaceId },
      { secret: `sk-${randomBytes(16).toString("hex")}`, keyspaceId },
    ]);
    const { results } = await raw.batchVerify({ requests });
    const answers = results.map(({ result }) => (result.case === "response" ? result.value : undefined));
    expect(answers.map((answer) => answer?.key?.id)).toEqual(created.flatMap(({ key }) => [key.id, undefined]));
  });
});

async function newKey(init?: KeyInit) {
  const { id: keyspaceId } = await home.newKeyspace();
  const issued = await home.newKey(keyspaceId, init);
  const ask = (request?: Request): Promise<VerifyResponse> =>
    raw.verify({ secret: issued.secret, keyspaceId, ...request });
  return { ...issued, ask };
}

function summaryOf({ result }: BatchVerifyResult): Outcome | string[] | undefined {
  if (result.case === "response") return result.value.outcome;
  return result.value?.details
    .map((detail) => anyUnpack(detail, BadRequestSchema))
    .flatMap((detail) => detail?.fieldViolations.map(({ field }) => field) ?? []);
}

function statusOf(item: BatchVerifyResult | undefined) {
  if (item?.result.case !== "error") throw new Error("the item was expected to fail");
  return item.result.value;
}

function one(permission: string): Query {
  return { condition: { case: "permission", value: permission } };
}

function allOf(...queries: Query[]): Query {
  return { condition: { case: "allOf", value: { queries } } };
}

function anyOf(...queries: Query[]): Query {
  return { condition: { case: "anyOf", value: { queries } } };
}

function dateOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
