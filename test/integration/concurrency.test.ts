import { hash, randomUUID } from "node:crypto";
import { type Clavis, ClavisError, createClavis, type Event, Outcome, timestampDate } from "@clavis/sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openPostgresProxy, type PostgresProxy } from "../harness/postgres-proxy.ts";
import { openTestService, type TestService, testEnvironment } from "../harness/service.ts";
import { lockWaiters, openSql, type Sql } from "../harness/sql.ts";
import { type OpenTenant, openTenant } from "../harness/tenant.ts";

/** How long others wait at most for a replica that is frozen while it holds a row: half a second, and some to go on. */
const FROZEN_MS_MAX = 2_000;

/** How long anybody waits at most for a row: the limit of a lock, and some. */
const LOCK_MS_MAX = 5_500;

let service: TestService;
/** A second replica, whose way to Postgres can break. */
let replica: TestService;
let proxy: PostgresProxy;
/** Looks. */
let sql: Sql;
/** Holds locks, and so makes sure that calls overlap. */
let holder: Sql;
let tenant: OpenTenant;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const database = stack.use(await openTestDatabase());
  const env = testEnvironment(database.url);
  proxy = stack.use(await openPostgresProxy(database.url));
  service = stack.use(await openTestService({ database, env }));
  replica = stack.use(await openTestService({ database, env: { ...env, CLAVIS_DATABASE_URL: proxy.url } }));
  sql = stack.use(await openSql(database.adminUrl));
  holder = stack.use(await openSql(database.adminUrl));
});

beforeEach(async () => {
  tenant = stack.use(await openTenant(service));
});

afterAll(() => stack.disposeAsync());

describe("the last two management keys", () => {
  const ways: { way: string; go: (clavis: Clavis, keyId: string) => Promise<unknown> }[] = [
    { way: "RevokeKey", go: (clavis, keyId) => clavis.keys.revoke(keyId) },
    { way: "DisableKey", go: (clavis, keyId) => clavis.keys.disable(keyId) },
    { way: "RevokeSelf", go: (clavis) => clavis.self.revoke() },
  ];

  // Each counts the keys that stay while it holds the keyspace's row. Without that lock both get as far as their last statement,
  // and both go.
  it.each(ways)("do not both go by $way at the same time: one fails with LAST_MANAGEMENT_KEY", async ({ go }) => {
    const colleague = await managementKey();
    await holdHead();
    const calls = [
      settled(go(tenant.clavis, tenant.managementKeyId)),
      settled(go(tenant.clientFor(colleague.secret), colleague.id)),
    ];
    await lockWaiters(sql, 2);
    await holder.query("commit");
    const failures = (await Promise.all(calls)).filter((result) => result instanceof ClavisError);
    expect(failures).toEqual([expect.objectContaining({ reason: "LAST_MANAGEMENT_KEY", code: "FAILED_PRECONDITION" })]);
    const [row] = await sql.query(
      "select count(*)::int as staying from clavis.keys where keyspace_id = $1 and revoke_time is null and not disabled",
      [toUuid("ks", tenant.managementKeyspaceId)],
    );
    expect(row).toEqual({ staying: 1 });
  });
});

describe("a right that is taken away", () => {
  // The call was let in with its right; it reads the right again FOR SHARE, which waits for whoever takes it away. With a plain
  // SELECT in place of it, the call reads the row as it was and makes a key, with an event after the revocation's.
  it.each([
    {
      how: "the key is revoked",
      take: (clavis: Clavis, keyId: string) => clavis.keys.revoke(keyId),
      code: "UNAUTHENTICATED",
    },
    {
      how: "the key is disabled",
      take: (clavis: Clavis, keyId: string) => clavis.keys.disable(keyId),
      code: "UNAUTHENTICATED",
    },
    {
      how: "the permission goes",
      take: (clavis: Clavis, keyId: string) => clavis.keys.update(keyId, { permissions: ["clavis.audit.read"] }),
      code: "PERMISSION_DENIED",
    },
    {
      how: "the keyspace goes",
      take: async (clavis: Clavis, keyId: string) => {
        const { keyspace } = await clavis.keyspaces.create({ displayName: "Other", prefix: "other" });
        await holdHead();
        return clavis.keys.update(keyId, { allowedKeyspaceIds: [keyspace.id] });
      },
      code: "NOT_FOUND",
    },
  ])("is gone for a CreateKey that is under way when $how", async ({ how, take, code }) => {
    const colleague = await managementKey(["clavis.keys.create"]);
    const client = tenant.clientFor(colleague.secret);
    if (how !== "the keyspace goes") await holdHead();
    const taking = take(tenant.clavis, colleague.id);
    await lockWaiters(sql, 1);
    const creating = settled(client.keys.create(aRequest()));
    await lockWaiters(sql, 2);
    await holder.query("commit");
    await taking;
    expect(await creating).toMatchObject({ code });
    expect(await typesBy(colleague.id)).toEqual([]);
  });

  it("is gone for a CreateKey that is under way when the tenant is suspended", async () => {
    await using operator = createClavis({ baseUrl: service.url, token: service.operatorToken });
    await holdHead();
    const suspending = operator.tenants.update(tenant.tenantId, { suspended: true });
    await lockWaiters(sql, 1);
    const creating = settled(tenant.clavis.keys.create(aRequest()));
    await lockWaiters(sql, 2);
    await holder.query("commit");
    await suspending;
    expect(await creating).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("is waited for by RevokeKey, so that nothing is done with it after the revocation", async () => {
    const colleague = await managementKey(["clavis.keys.create"]);
    const client = tenant.clientFor(colleague.secret);
    await holdHead();
    const creating = client.keys.create(aRequest());
    await lockWaiters(sql, 1);
    const taking = tenant.clavis.keys.revoke(colleague.id);
    await lockWaiters(sql, 2);
    await holder.query("commit");
    const [{ key }] = await Promise.all([creating, taking]);
    const events = await eventsOf(tenant);
    const created = events.findIndex(({ targets }) => targets.some(({ id }) => id === key.id));
    const revoked = events.findIndex(({ type }) => type === "key.revoked");
    expect(created).toBeGreaterThan(0);
    expect(revoked).toBeGreaterThan(created);
  });
});

describe("changes of one key at the same time", () => {
  it("with one etag: exactly one wins, and the others know", async () => {
    const { key } = await tenant.clavis.keys.create(aRequest());
    await hold("keys", "key_id", toUuid("key", key.id));
    const calls = Array.from({ length: 8 }, (_, index) =>
      settled(tenant.clavis.keys.update(key.id, { displayName: `name ${index}` }, { etag: key.etag })),
    );
    await lockWaiters(sql, 8);
    await holder.query("commit");
    const results = await Promise.all(calls);
    const won = results.flatMap((result) => (result instanceof ClavisError ? [] : [result.key]));
    const lost = results.filter((result) => result instanceof ClavisError);
    expect(lost).toEqual(Array.from({ length: 7 }, () => expect.objectContaining({ reason: "ETAG_MISMATCH" })));
    expect((await tenant.clavis.keys.get(key.id)).key).toEqual(won[0]);
  });

  it("rotations leave one present secret, and none of the others lives longer than any rotation promised", async () => {
    const { key, secret } = await tenant.clavis.keys.create(aRequest());
    await hold("keys", "key_id", toUuid("key", key.id));
    const overlaps = [3600, 0, 60, 7200, 1800, 0, 10, 86_400];
    const calls = overlaps.map((seconds) => tenant.clavis.keys.rotate(key.id, { overlap: { seconds } }));
    await lockWaiters(sql, overlaps.length);
    await holder.query("commit");
    const answers = await Promise.all(calls);

    // In the order in which they happened, which the audit log knows.
    const events = (await eventsOf(tenant)).filter(({ type }) => type === "key.rotated");
    const rotations = events.map(({ after }) => {
      const { maskedSecret } = after?.resource.case === "key" ? after.resource.value : key;
      const [answer, ...others] = answers.filter((one) => one.key.maskedSecret === maskedSecret);
      if (answer === undefined || others.length > 0) throw new Error(`whose is ${maskedSecret}?`);
      return { secret: answer.secret, promised: timestampDate(answer.effectiveTime).getTime() };
    });
    expect(rotations).toHaveLength(overlaps.length);
    const secrets = [secret, ...rotations.map((rotation) => rotation.secret)];
    const stops = await stopTimesOf(secrets);
    expect(stops.map((stop) => stop === null)).toEqual([...overlaps.map(() => false), true]);
    expect(await outcomeOf(secrets.at(-1) ?? "")).toBe(Outcome.VALID);

    // Each secret is held to the promise of the rotation that ended it, and to those of all later ones.
    let compared = 0;
    for (const [index, stop] of stops.slice(0, -1).entries()) {
      for (const { promised } of rotations.slice(index)) {
        expect(stop?.getTime()).toBeLessThanOrEqual(promised);
        compared++;
      }
    }
    expect(compared).toBe((overlaps.length * (overlaps.length + 1)) / 2);
  });
});

describe("the audit log under 16 writers in each of two tenants", () => {
  it("has neither gaps nor times that fall, for a reader at any moment as well as at the end", async () => {
    await using other = await openTenant(service);
    const tenants = [tenant, other];
    const elsewhere = tenants.map((one) => one.clientFor(one.token, replica.url));
    let writing = true;
    const seen: Event[][] = [];
    const reading = (async () => {
      while (writing) for (const one of tenants) seen.push(await eventsOf(one));
    })();
    const writers = tenants.flatMap((one, index) =>
      Array.from({ length: 16 }, async (_, writer) => {
        const client = writer % 2 === 0 ? one.clavis : (elsewhere[index] ?? one.clavis);
        for (let round = 0; round < 4; round++) {
          const { key } = await client.keys.create({ keyspaceId: one.keyspaceId, displayName: `${writer} ${round}` });
          await client.keys.revoke(key.id);
        }
      }),
    );
    await Promise.all(writers);
    writing = false;
    await reading;

    const last = await Promise.all(tenants.map(eventsOf));
    for (const events of last) expect(events.length).toBeGreaterThanOrEqual(16 * 4 * 2);
    for (const events of [...seen, ...last]) {
      expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, index) => index + 1));
      const times = events.map(({ time }) => (time === undefined ? 0 : timestampDate(time).getTime()));
      expect(times).toEqual(times.toSorted((one, next) => one - next));
    }
    expect(seen.some((events) => events.length < Math.min(...last.map(({ length }) => length)))).toBe(true);
  });
});

describe("who holds a row and does nothing", () => {
  it("is rid of it within the time limits: a replica that is frozen in mid-transaction", async () => {
    const { key } = await tenant.clavis.keys.create(aRequest());
    const client = tenant.clientFor(tenant.token, replica.url);
    const frozen = proxy.intercept('update "clavis"."key_secrets"', "hold");
    const first = settled(client.keys.rotate(key.id));
    await frozen;
    const start = performance.now();
    const rotating = tenant.clavis.keys.rotate(key.id);
    await lockWaiters(sql, 1);
    const { secret } = await rotating;
    expect(performance.now() - start).toBeLessThan(FROZEN_MS_MAX);
    const late = await first;
    const outcomes = [await outcomeOf(secret), late instanceof ClavisError ? undefined : await outcomeOf(late.secret)];
    expect(outcomes.filter((outcome) => outcome === Outcome.VALID)).toHaveLength(1);
  });

  it("fails others within the time limits: somebody else's transaction", async () => {
    const { key } = await tenant.clavis.keys.create(aRequest());
    await hold("keys", "key_id", toUuid("key", key.id));
    const start = performance.now();
    const blocked = [settled(tenant.clavis.keys.rotate(key.id)), settled(tenant.clavis.keys.disable(key.id))];
    await lockWaiters(sql, blocked.length);
    // Others go their way meanwhile.
    expect((await tenant.clavis.keys.create(aRequest())).key.id).not.toBe(key.id);
    const results = await Promise.all(blocked);
    expect(performance.now() - start).toBeLessThan(LOCK_MS_MAX);
    await holder.query("rollback");
    expect(results).toEqual(
      results.map(() => expect.objectContaining({ reason: "STORE_UNAVAILABLE", retryAfterMs: expect.any(Number) })),
    );
    expect((await tenant.clavis.keys.get(key.id)).key).toEqual(key);
  });
});

/** Opens the holder's transaction and locks a row in it. */
async function hold(table: "keys" | "audit_heads", column: string, id: string): Promise<void> {
  await holder.query("begin");
  await holder.query(`select from clavis.${table} where ${column} = $1 for update`, [id]);
}

/** Changes get as far as their last statement, with all their locks, and wait there. */
function holdHead(): Promise<void> {
  return hold("audit_heads", "tenant_id", toUuid("ten", tenant.tenantId));
}

function aRequest() {
  return { keyspaceId: tenant.keyspaceId, displayName: "CI", requestId: randomUUID() };
}

async function managementKey(permissions = ["clavis.*"]): Promise<{ id: string; secret: string }> {
  const wish = { keyspaceId: tenant.managementKeyspaceId, displayName: "Colleague", permissions };
  const { key, secret } = await tenant.clavis.keys.create(wish);
  return { id: key.id, secret };
}

function settled<T>(call: Promise<T>): Promise<T | ClavisError> {
  return call.catch((error: ClavisError) => error);
}

async function outcomeOf(secret: string): Promise<Outcome> {
  return (await tenant.clavis.verify({ keyspaceId: tenant.keyspaceId, secret })).outcome;
}

function eventsOf({ clavis }: OpenTenant): Promise<Event[]> {
  return Array.fromAsync(clavis.audit.list({ oldestFirst: true, pageSize: 200 }));
}

async function typesBy(actorId: string): Promise<string[]> {
  const events = await eventsOf(tenant);
  return events.filter(({ actor }) => actor?.id === actorId).map(({ type }) => type);
}

/** When each of these stops, in their order; null for never. */
async function stopTimesOf(secrets: readonly string[]): Promise<(Date | null | undefined)[]> {
  const digests = secrets.map((secret) => hash("sha256", secret, "buffer"));
  const rows = await sql.query<{ digest: Buffer; stop_time: Date | null }>(
    "select digest, stop_time from clavis.key_secrets where digest = any ($1)",
    [digests],
  );
  return digests.map((digest) => rows.find((row) => row.digest.equals(digest))?.stop_time);
}
