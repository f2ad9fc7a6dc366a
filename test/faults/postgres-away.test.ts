import { randomUUID } from "node:crypto";
import { ClavisError, Outcome } from "@clavis/sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openPostgresProxy, type PostgresProxy } from "../harness/postgres-proxy.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { lockWaiters, openSql, type Sql } from "../harness/sql.ts";
import { type OpenTenant, openTenant } from "../harness/tenant.ts";
import { until } from "../harness/until.ts";

/** What a caller is told when Postgres cannot be asked. */
const unavailable = { reason: "STORE_UNAVAILABLE", code: "UNAVAILABLE", retryAfterMs: 1000 };

/** How soon after Postgres is back all is well again. */
const RECOVERY_MS_MAX = 5_000;

/** How long a call may take while Postgres does not say a word: a statement's limit and some. */
const HUNG_MS_MAX = 9_500;

let service: TestService;
let proxy: PostgresProxy;
let sql: Sql;
let tenant: OpenTenant;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const database = stack.use(await openTestDatabase());
  proxy = stack.use(await openPostgresProxy(database.url));
  service = stack.use(await openTestService({ database, env: { CLAVIS_DATABASE_URL: proxy.url } }));
  sql = stack.use(await openSql(database.adminUrl));
});

beforeEach(async () => {
  tenant = stack.use(await openTenant(service));
});

afterAll(() => stack.disposeAsync());

describe("Postgres cut off while nothing is under way", () => {
  it("is told as UNAVAILABLE and by readiness, and over as soon as it is back", async () => {
    const { secret } = await tenant.clavis.keys.create(aRequest());
    await isReady(true);

    proxy.cut();
    await expect(tenant.clavis.keys.create(aRequest())).rejects.toMatchObject(unavailable);
    await expect(tenant.clavis.keys.get("key_00000000000000000000000000")).rejects.toMatchObject(unavailable);
    await expect(verify(secret)).rejects.toMatchObject(unavailable);
    await isReady(false);
    expect((await fetch(`${service.operationsUrl}/healthz`)).status).toBe(200);

    proxy.restore();
    await recovered();
    expect(await verify(secret)).toBe(Outcome.VALID);
    expect(await countOf()).toMatchObject({ keys: 2 });
  });
});

describe("Postgres cut off in the middle of a change", () => {
  it.each([
    { when: "before its first row", text: 'insert into "clavis"."replays"' },
    { when: "between its rows", text: 'insert into "clavis"."key_secrets"' },
    { when: "at its COMMIT", text: "; commit" },
  ])("leaves nothing of it $when, and its request_id free", async ({ text }) => {
    const before = await countOf();
    const request = aRequest();
    const lost = proxy.intercept(text, "lose");
    await expect(tenant.clavis.keys.create(request)).rejects.toMatchObject(unavailable);
    await lost;
    expect(await countOf()).toEqual(before);
    const { secret } = await tenant.clavis.keys.create(request);
    expect(await verify(secret)).toBe(Outcome.VALID);
    expect(await countOf()).toEqual(before.plus(1));
  });

  it("makes no half of a batch", async () => {
    const before = await countOf();
    const lost = proxy.intercept("; commit", "lose");
    const keys = Array.from({ length: 100 }, () => ({ displayName: "CI" }));
    const { keyspaceId } = tenant;
    await expect(tenant.clavis.keys.batchCreate({ keyspaceId, keys })).rejects.toMatchObject(unavailable);
    await lost;
    expect(await countOf()).toEqual(before);
  });
});

describe("the lost answer to a COMMIT", () => {
  it("is given to a retry of CreateKey with the same request_id: one key, the same secret", async () => {
    const before = await countOf();
    const request = aRequest();
    const lost = proxy.intercept("; commit", "lose answer");
    await expect(tenant.clavis.keys.create(request)).rejects.toMatchObject(unavailable);
    await lost;
    expect(await countOf()).toEqual(before.plus(1));
    const [one, other] = [await tenant.clavis.keys.create(request), await tenant.clavis.keys.create(request)];
    expect(other.secret).toBe(one.secret);
    expect(await verify(one.secret)).toBe(Outcome.VALID);
    expect(await countOf()).toEqual(before.plus(1));
  });

  it("is given to a retry of RotateKey with the same request_id: rotated once", async () => {
    const { key, secret } = await tenant.clavis.keys.create(aRequest());
    const before = await countOf();
    const wish = { requestId: randomUUID() };
    const lost = proxy.intercept("; commit", "lose answer");
    await expect(tenant.clavis.keys.rotate(key.id, wish)).rejects.toMatchObject(unavailable);
    await lost;
    const rotated = await tenant.clavis.keys.rotate(key.id, wish);
    expect(await countOf()).toEqual({ ...before, secrets: before.secrets + 1, events: before.events + 1 });
    expect(await verify(rotated.secret)).toBe(Outcome.VALID);
    expect(await verify(secret)).toBe(Outcome.ROTATED);
  });

  it("is nothing that a caller of the SDK notices", async () => {
    await using patient = await openTenant(service, { attemptsMax: 3 });
    const lost = proxy.intercept("; commit", "lose answer");
    const { keyspaceId } = patient;
    const { key, secret } = await patient.clavis.keys.create({ keyspaceId, displayName: "CI" });
    await lost;
    const keys = await Array.fromAsync(patient.clavis.keys.list({ keyspaceId }));
    expect(keys.map(({ id }) => id)).toEqual([key.id]);
    expect((await patient.clavis.verify({ secret, keyspaceId })).outcome).toBe(Outcome.VALID);
  });
});

describe("Postgres that does not say a word any more", () => {
  it("ends calls as UNAVAILABLE within their bounds, writes nothing, and costs no restart", async () => {
    const patient = tenant.clientFor(tenant.token);
    const { secret } = await tenant.clavis.keys.create(aRequest());
    const before = await countOf();
    await isReady(true);

    // One change hangs in mid-transaction, waiting for a lock, and the others before they begin.
    await using holder = await openSql(service.database.adminUrl);
    await holdKeyspace(holder);
    const start = performance.now();
    const waiting = outcome(tenant.clavis.keys.create(aRequest()));
    await lockWaiters(sql, 1);
    proxy.hang();
    await holder.query("rollback");
    const limits = { timeoutMs: 20_000 };
    const calls = Array.from({ length: 30 }, () => outcome(patient.keys.create(aRequest(), limits)));
    const reads = Array.from({ length: 30 }, () => outcome(patient.verify({ secret, ...place() }, limits)));
    const all = [waiting, ...calls, ...reads];
    await isReady(false);
    expect(await Promise.all(all)).toEqual(all.map(() => expect.objectContaining(unavailable)));
    expect(performance.now() - start).toBeLessThan(HUNG_MS_MAX);

    proxy.restore();
    await recovered();
    await isReady(true);
    expect(await verify(secret)).toBe(Outcome.VALID);
    expect(await countOf()).toEqual(before.plus(1));
    const [connections] = await sql.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name like 'clavis%'`,
    );
    expect(connections?.count).toBeLessThanOrEqual(18);
  });
});

describe("one connection that ends in mid-transaction", () => {
  it("by pg_terminate_backend: nothing is left, and the next call works", async () => {
    await using holder = await openSql(service.database.adminUrl);
    const before = await countOf();
    await holdKeyspace(holder);
    const request = aRequest();
    const call = outcome(tenant.clavis.keys.create(request));
    const [pid] = await lockWaiters(sql, 1);
    await sql.query("select pg_terminate_backend($1)", [pid]);
    expect(await call).toMatchObject(unavailable);
    await holder.query("rollback");
    expect(await countOf()).toEqual(before);
    await tenant.clavis.keys.create(request);
    expect(await countOf()).toEqual(before.plus(1));
  });

  it("because this process was frozen: the service lives, and a change is made once or not at all", async () => {
    const before = await countOf();
    const request = aRequest();
    const arrived = proxy.intercept('insert into "clavis"."key_secrets"', "hold answer");
    const first = await outcome(tenant.clavis.keys.create(request));
    await arrived;
    if (first instanceof ClavisError) expect(first).toMatchObject(unavailable);
    await tenant.clavis.keys.create(request);
    expect(await countOf()).toEqual(before.plus(1));
  });
});

describe("a deadlock", () => {
  it("is resolved by running the change again, once", async () => {
    await using holder = await openSql(service.database.adminUrl);
    const before = await countOf();
    // Postgres asks first whoever has waited for the shortest `deadlock_timeout`; that is to be the service.
    await holder.query("set deadlock_timeout = '20s'");
    await holdKeyspace(holder);
    let answered = false;
    const call = tenant.clavis.keys.create(aRequest()).finally(() => {
      answered = true;
    });
    await lockWaiters(sql, 1);
    // The service holds the lock on its caller's key, waits for the keyspace, and gives the key up to break the circle.
    await holder.query("select from clavis.keys where key_id = $1 for update", [toUuid("key", tenant.managementKeyId)]);
    expect(answered).toBe(false);
    await holder.query("commit");
    expect(await verify((await call).secret)).toBe(Outcome.VALID);
    expect(await countOf()).toEqual(before.plus(1));
  });
});

describe("a primary of before, which only reads", () => {
  it("is told as UNAVAILABLE and by readiness while it lasts, and nothing is stuck with it", async () => {
    const { secret } = await tenant.clavis.keys.create(aRequest());
    await isReady(true);
    await setReadOnly(true);
    await isReady(false);
    await expect(tenant.clavis.keys.create(aRequest())).rejects.toMatchObject(unavailable);
    expect(await verify(secret)).toBe(Outcome.VALID);
    // Connections that began while it only read stay so; the service has to drop them by itself.
    await sql.query(`alter database ${await databaseName()} reset default_transaction_read_only`);
    await recovered();
    await isReady(true);
  });

  async function setReadOnly(on: boolean): Promise<void> {
    await sql.query(`alter database ${await databaseName()} set default_transaction_read_only = ${on}`);
    await sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'clavis%'`,
    );
  }
});

async function databaseName(): Promise<string> {
  const [row] = await sql.query<{ name: string }>("select quote_ident(current_database()) as name");
  return row?.name ?? "";
}

function place(): { keyspaceId: string } {
  return { keyspaceId: tenant.keyspaceId };
}

function aRequest() {
  return { ...place(), displayName: "CI", requestId: randomUUID() };
}

async function verify(secret: string): Promise<Outcome> {
  return (await tenant.clavis.verify({ ...place(), secret })).outcome;
}

/** What a call comes to, as a value either way. */
function outcome<T>(call: Promise<T>): Promise<T | ClavisError> {
  return call.catch((error: ClavisError) => error);
}

async function holdKeyspace(holder: Sql): Promise<void> {
  await holder.query("begin");
  await holder.query("select from clavis.keyspaces where keyspace_id = $1 for update", [
    toUuid("ks", tenant.keyspaceId),
  ]);
}

async function isReady(wanted: boolean): Promise<void> {
  const look = async () => (await fetch(`${service.operationsUrl}/readyz`)).ok === wanted;
  await until(`readiness is ${wanted ? "on" : "off"}`, look, RECOVERY_MS_MAX);
}

/** Changes work again, and go on working; and verdicts, which wait for the change feed to hear from Postgres. */
async function recovered(): Promise<void> {
  const made = await until(
    "changes work again",
    () => answerOf(tenant.clavis.keys.create(aRequest())),
    RECOVERY_MS_MAX,
  );
  await until("verdicts work again", () => answerOf(verify(made.secret)), RECOVERY_MS_MAX);
}

/** Undefined where there is none. */
async function answerOf<T>(call: Promise<T>): Promise<T | undefined> {
  const answer = await outcome(call);
  return answer instanceof ClavisError ? undefined : answer;
}

interface Count {
  readonly keys: number;
  readonly secrets: number;
  readonly events: number;
  /** The same after so many further keys. */
  plus(keys: number): Count;
}

/** What the tenant has, management keys aside, as Postgres itself knows it. */
async function countOf(): Promise<Count> {
  const [row] = await sql.query<{ keys: number; secrets: number; events: number }>(
    `select (select count(*)::int from clavis.keys where keyspace_id = $1) as keys,
            (select count(*)::int from clavis.key_secrets s join clavis.keys k using (key_id) where keyspace_id = $1) as secrets,
            (select count(*)::int from clavis.audit_events where tenant_id = $2) as events`,
    [toUuid("ks", tenant.keyspaceId), toUuid("ten", tenant.tenantId)],
  );
  if (row === undefined) throw new Error("a count without a row");
  return toCount(row);
}

function toCount(row: { keys: number; secrets: number; events: number }): Count {
  const { keys, secrets, events } = row;
  const count = { keys, secrets, events };
  const plus = (more: number) => toCount({ keys: keys + more, secrets: secrets + more, events: events + more });
  return Object.defineProperty(count, "plus", { value: plus, enumerable: false }) as Count;
}
