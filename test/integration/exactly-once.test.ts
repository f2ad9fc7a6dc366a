import { randomUUID } from "node:crypto";
import { ClavisError, createClavis, Outcome } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { createSealer } from "../../src/root-keys.ts";
import { openTestService, type TestService, testEnvironment } from "../harness/service.ts";
import { lockWaiters, openSql, type Sql } from "../harness/sql.ts";
import { type OpenTenant, openTenant } from "../harness/tenant.ts";

const ATTEMPTS_MAX = 5;
const DAY_MS = 24 * 60 * 60 * 1000;
const rootKey = { id: "test", bytes: Buffer.alloc(32, 7) };

let service: TestService;
let sql: Sql;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const env = { CLAVIS_ROOT_KEYS: `${rootKey.id}:${rootKey.bytes.toString("base64")}` };
  service = stack.use(await openTestService({ env }));
  sql = stack.use(await openSql(service.database.adminUrl));
});

afterAll(() => stack.disposeAsync());

describe("200 calls with one request_id at the same time", () => {
  it("make one key, and all of them get its one secret", async () => {
    await using tenant = await openTenant(service);
    const request = aRequest(tenant, randomUUID());
    const before = await countOf(tenant);

    // The first call is held up in mid-transaction until others wait for its id.
    await sql.query("begin");
    await sql.query("select from clavis.keyspaces where keyspace_id = $1 for update", [
      toUuid("ks", tenant.keyspaceId),
    ]);
    const calls = Array.from({ length: 200 }, () => patiently(() => tenant.clavis.keys.create(request)));
    expect((await lockWaiters(sql, 5)).length).toBeGreaterThanOrEqual(5);
    await sql.query("commit");

    const answers = await Promise.all(calls);
    expect(answers).toHaveLength(200);
    expect(new Set(answers.map(({ secret }) => secret)).size).toBe(1);
    expect(new Set(answers.map(({ key }) => key.id)).size).toBe(1);
    expect(await countOf(tenant)).toEqual({
      keys: before.keys + 1,
      secrets: before.secrets + 1,
      events: before.events + 1,
    });
    const { secret = "" } = answers[0] ?? {};
    expect(await outcomeOf(tenant, secret)).toBe(Outcome.VALID);
  });
});

describe("a request_id", () => {
  it("is refused with another request, and with another method", async () => {
    await using tenant = await openTenant(service);
    const request = aRequest(tenant, randomUUID());
    const { key } = await tenant.clavis.keys.create(request);
    const reused = { reason: "REQUEST_ID_REUSED", code: "ALREADY_EXISTS" };
    await expect(tenant.clavis.keys.create({ ...request, displayName: "Other" })).rejects.toMatchObject(reused);
    const { requestId } = request;
    await expect(tenant.clavis.keys.rotate(key.id, { requestId })).rejects.toMatchObject(reused);
    await expect(tenant.clavis.keys.disable(key.id, { requestId })).rejects.toMatchObject(reused);
    expect((await tenant.clavis.keys.get(key.id)).key).toEqual(key);
  });

  it("is the same in any case of its letters, and in any order of the metadata's names", async () => {
    await using tenant = await openTenant(service);
    const requestId = randomUUID();
    const request = aRequest(tenant, requestId);
    const one = await tenant.clavis.keys.create({ ...request, metadata: { a: 1, b: { c: 2, d: 3 } } });
    const other = await tenant.clavis.keys.create({
      ...request,
      requestId: requestId.toUpperCase(),
      metadata: { b: { d: 3, c: 2 }, a: 1 },
    });
    expect(other.secret).toBe(one.secret);
  });

  it("means nothing in another principal's hands", async () => {
    await using tenant = await openTenant(service);
    await using stranger = await openTenant(service);
    const colleague = tenant.clientFor((await managementKey(tenant)).secret);
    const requestId = randomUUID();
    const answers = [
      await tenant.clavis.keys.create(aRequest(tenant, requestId)),
      await colleague.keys.create(aRequest(tenant, requestId)),
      await stranger.clavis.keys.create(aRequest(stranger, requestId)),
    ];
    expect(new Set(answers.map(({ key }) => key.id)).size).toBe(3);
    expect(new Set(answers.map(({ secret }) => secret)).size).toBe(3);
  });

  it("is free again after a request that failed in its transaction", async () => {
    await using tenant = await openTenant(service);
    const requestId = randomUUID();
    const tooLate = { ...aRequest(tenant, requestId), expireTime: new Date(0) };
    await expect(tenant.clavis.keys.create(tooLate)).rejects.toMatchObject({ reason: "EXPIRY_OUTSIDE_POLICY" });
    expect(await replaysOf(tenant)).not.toContain(null);
    const { key } = await tenant.clavis.keys.create(aRequest(tenant, requestId));
    expect(key.displayName).toBe("CI");
  });

  it("is forgotten after 24 hours, and not before", async () => {
    await using tenant = await openTenant(service);
    const request = aRequest(tenant, randomUUID());
    const first = await tenant.clavis.keys.create(request);
    await age(tenant, DAY_MS - 60_000);
    expect((await tenant.clavis.keys.create(request)).key.id).toBe(first.key.id);
    await age(tenant, DAY_MS + 60_000);
    const second = await tenant.clavis.keys.create(request);
    expect(second.key.id).not.toBe(first.key.id);
    expect((await tenant.clavis.keys.create(request)).secret).toBe(second.secret);
  });
});

describe("a replay", () => {
  it("of RotateKey gives the same secret, and rotates once", async () => {
    await using tenant = await openTenant(service);
    const { key, secret } = await tenant.clavis.keys.create(aRequest(tenant, randomUUID()));
    const wish = { requestId: randomUUID(), overlap: { minutes: 5 } };
    const [one, other] = await Promise.all([
      tenant.clavis.keys.rotate(key.id, wish),
      tenant.clavis.keys.rotate(key.id, wish),
    ]);
    expect(other.secret).toBe(one.secret);
    expect(other.effectiveTime).toEqual(one.effectiveTime);
    expect(await outcomeOf(tenant, one.secret)).toBe(Outcome.VALID);
    expect(await outcomeOf(tenant, secret)).toBe(Outcome.VALID);
    expect((await tenant.clavis.keys.completeRotation(key.id)).key.id).toBe(key.id);
    expect(await outcomeOf(tenant, secret)).toBe(Outcome.ROTATED);
    const events = await Array.fromAsync(tenant.clavis.audit.list({ targetId: key.id }));
    expect(events.map(({ type }) => type).toSorted()).toEqual(["key.created", "key.rotated", "key.rotation_completed"]);
  });

  it("of BatchCreateKeys gives the same secrets in the same order", async () => {
    await using tenant = await openTenant(service);
    const keys = Array.from({ length: 20 }, (_, index) => ({ displayName: `key ${index}` }));
    const request = { keyspaceId: tenant.keyspaceId, keys, requestId: randomUUID() };
    const one = await tenant.clavis.keys.batchCreate(request);
    const other = await tenant.clavis.keys.batchCreate(request);
    expect(one).toHaveLength(20);
    expect(other.map(({ secret }) => secret)).toEqual(one.map(({ secret }) => secret));
  });

  it("of DeleteKey succeeds though the key is gone", async () => {
    await using tenant = await openTenant(service);
    const { key } = await tenant.clavis.keys.create(aRequest(tenant, randomUUID()));
    await tenant.clavis.keys.revoke(key.id);
    const requestId = randomUUID();
    await tenant.clavis.keys.delete(key.id, { requestId });
    await tenant.clavis.keys.delete(key.id, { requestId });
    await expect(tenant.clavis.keys.delete(key.id)).rejects.toMatchObject({ reason: "KEY_NOT_FOUND" });
  });

  it("of CreateTenant by the operator gives the one tenant and its first secret", async () => {
    await using operator = createClavis({ baseUrl: service.url, token: service.operatorToken, attemptsMax: 1 });
    const before = (await Array.fromAsync(operator.tenants.list())).length;
    const request = { displayName: "Once", requestId: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => operator.tenants.create(request)));
    expect(new Set(answers.map(({ managementSecret }) => managementSecret)).size).toBe(1);
    expect(new Set(answers.map(({ tenant }) => tenant.id)).size).toBe(1);
    expect(await Array.fromAsync(operator.tenants.list())).toHaveLength(before + 1);
    await expect(operator.tenants.create({ ...request, displayName: "Twice" })).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
  });

  it.each([
    { taken: "the permission", changes: { permissions: ["clavis.audit.read"] } },
    { taken: "the keyspace", changes: { allowedKeyspaceIds: "another" as const } },
  ])("is refused after $taken was taken away", async ({ changes }) => {
    await using tenant = await openTenant(service);
    const { keyspace } = await tenant.clavis.keyspaces.create({ displayName: "Other", prefix: "other" });
    const holder = await managementKey(tenant);
    const client = tenant.clientFor(holder.secret);
    const request = aRequest(tenant, randomUUID());
    const { secret } = await client.keys.create(request);
    expect((await client.keys.create(request)).secret).toBe(secret);

    const { allowedKeyspaceIds, ...rest } = { allowedKeyspaceIds: undefined, ...changes };
    const fewer = allowedKeyspaceIds === undefined ? rest : { allowedKeyspaceIds: [keyspace.id] };
    await tenant.clavis.keys.update(holder.id, fewer);
    await expect(client.keys.create(request)).rejects.toMatchObject({
      reason: "GRANT_EXCEEDS_CALLER",
      code: "PERMISSION_DENIED",
    });
  });

  it("is given after rights were added, and refused once the key is disabled or revoked", async () => {
    await using tenant = await openTenant(service);
    const holder = await managementKey(tenant, ["clavis.keys.create"]);
    const client = tenant.clientFor(holder.secret);
    const request = aRequest(tenant, randomUUID());
    const { secret } = await client.keys.create(request);
    await tenant.clavis.keys.update(holder.id, { permissions: ["clavis.keys.*"] });
    expect((await client.keys.create(request)).secret).toBe(secret);
    await tenant.clavis.keys.disable(holder.id);
    await expect(client.keys.create(request)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await tenant.clavis.keys.enable(holder.id);
    expect((await client.keys.create(request)).secret).toBe(secret);
    await tenant.clavis.keys.revoke(holder.id);
    await expect(client.keys.create(request)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });
});

describe("a kept answer", () => {
  it("is unreadable without both the root key and the request_id", async () => {
    await using tenant = await openTenant(service);
    const request = aRequest(tenant, randomUUID());
    const { secret } = await tenant.clavis.keys.create(request);
    const sealed = (await replaysOf(tenant)).flatMap((bytes) => (bytes === null ? [] : [bytes]));
    expect(sealed.length).toBeGreaterThan(0);
    const [last = Buffer.alloc(0)] = sealed.slice(-1);
    expect(sealed.filter((bytes) => bytes.includes(secret))).toEqual([]);

    const opened = createSealer([rootKey]).open("replay", last, request.requestId);
    const { answer } = JSON.parse(Buffer.from(opened ?? []).toString()) as { answer: string };
    expect(Buffer.from(answer, "base64").includes(secret)).toBe(true);
    expect(createSealer([rootKey]).open("replay", last, randomUUID())).toBeUndefined();
    expect(createSealer([rootKey]).open("page-token", last, request.requestId)).toBeUndefined();
    const stranger = { ...rootKey, bytes: Buffer.alloc(32, 8) };
    expect(createSealer([stranger]).open("replay", last, request.requestId)).toBeUndefined();
  });

  it("stands beside neither the secret nor the request_id in any table", async () => {
    await using tenant = await openTenant(service);
    const request = aRequest(tenant, randomUUID());
    const { secret } = await tenant.clavis.keys.create(request);
    const tables = await sql.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'clavis'`,
    );
    expect(tables.length).toBeGreaterThan(6);
    for (const { name } of tables) {
      const found = await sql.query(`select 1 from ${name} as t where t::text like any ($1) or t::text like any ($2)`, [
        [secret, request.requestId].map((text) => `%${text}%`),
        [hex(secret), hex(request.requestId)],
      ]);
      expect(found, name).toEqual([]);
    }
  });
});

it("a replay is answered by another replica too", async () => {
  const { database } = service;
  const env = {
    ...testEnvironment(database.url),
    CLAVIS_ROOT_KEYS: `${rootKey.id}:${rootKey.bytes.toString("base64")}`,
  };
  await using other = await openTestService({ database, env });
  await using tenant = await openTenant(service);
  const request = aRequest(tenant, randomUUID());
  const elsewhere = tenant.clientFor(tenant.token, other.url);
  const [one, two] = await Promise.all([tenant.clavis.keys.create(request), elsewhere.keys.create(request)]);
  expect(two.secret).toBe(one.secret);
});

/** Asks again where a busy machine had no connection to Postgres in time, as all callers may with a request_id. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const busy = error instanceof ClavisError && error.reason === "STORE_UNAVAILABLE";
      if (!busy || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

function aRequest({ keyspaceId }: OpenTenant, requestId: string) {
  return { keyspaceId, displayName: "CI", permissions: ["documents.read"], requestId };
}

async function managementKey({ clavis, managementKeyspaceId }: OpenTenant, permissions = ["clavis.*"]) {
  const wish = { keyspaceId: managementKeyspaceId, displayName: "Colleague", permissions };
  const { key, secret } = await clavis.keys.create(wish);
  return { id: key.id, secret };
}

async function outcomeOf({ clavis, keyspaceId }: OpenTenant, secret: string): Promise<Outcome> {
  return (await clavis.verify({ secret, keyspaceId })).outcome;
}

async function countOf({ tenantId }: OpenTenant) {
  const [row] = await sql.query<{ keys: number; secrets: number; events: number }>(
    `select (select count(*)::int from clavis.keys where tenant_id = $1) as keys,
            (select count(*)::int from clavis.key_secrets where tenant_id = $1) as secrets,
            (select count(*)::int from clavis.audit_events where tenant_id = $1) as events`,
    [toUuid("ten", tenantId)],
  );
  if (row === undefined) throw new Error("a count without a row");
  return row;
}

/** The tenant's kept answers, oldest first. */
async function replaysOf({ tenantId }: OpenTenant): Promise<(Buffer | null)[]> {
  const rows = await sql.query<{ sealed_answer: Buffer | null }>(
    "select sealed_answer from clavis.replays where tenant_id = $1 order by create_time",
    [toUuid("ten", tenantId)],
  );
  return rows.map(({ sealed_answer }) => sealed_answer);
}

/** Makes the tenant's replays look `ms` old. */
async function age({ tenantId }: OpenTenant, ms: number): Promise<void> {
  await sql.query("update clavis.replays set create_time = now() - $1 * interval '1 ms' where tenant_id = $2", [
    ms,
    toUuid("ten", tenantId),
  ]);
}

function hex(text: string): string {
  return `%${Buffer.from(text).toString("hex")}%`;
}
