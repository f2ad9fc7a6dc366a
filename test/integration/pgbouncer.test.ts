import { Outcome } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectExactlyOnce, expectLifecycle } from "../harness/lifecycle.ts";
import { openPgBouncer } from "../harness/pgbouncer.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTenant } from "../harness/tenant.ts";

const stack = new AsyncDisposableStack();
const database = stack.use(await openTestDatabase());
const pgbouncer = await openPgBouncer(database.url);
if (pgbouncer !== undefined) stack.use(pgbouncer);

afterAll(() => stack.disposeAsync());

describe.runIf(pgbouncer !== undefined)("a service behind PgBouncer in transaction mode", () => {
  let service: TestService;

  beforeAll(async () => {
    // More than PgBouncer has for them, so that transactions of different calls do share connections.
    const env = { CLAVIS_DATABASE_URL: pgbouncer?.url ?? "", CLAVIS_DATABASE_CONNECTIONS: "30" };
    service = stack.use(await openTestService({ database, env }));
  });

  it("lets a key live its whole life", async () => {
    await expectLifecycle(service);
  });

  it("does changes exactly once", async () => {
    await expectExactlyOnce(service);
  });

  it("keeps tenants apart that share connections, and leaves nothing behind on them", async () => {
    await using one = await openTenant(service);
    await using other = await openTenant(service);
    const work = [one, other].flatMap((tenant) =>
      Array.from({ length: 40 }, async () => {
        const { clavis, keyspaceId } = tenant;
        const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: tenant.tenantId });
        const stranger = tenant === one ? other : one;
        await expect(stranger.clavis.keys.get(key.id)).rejects.toMatchObject({ reason: "KEY_NOT_FOUND" });
        const theirs = await stranger.clavis.verify({ secret, keyspaceId: stranger.keyspaceId });
        expect(theirs.outcome).toBe(Outcome.NOT_FOUND);
        return key.displayName;
      }),
    );
    expect(await Promise.all(work)).toHaveLength(80);
    for (const { clavis, keyspaceId, tenantId } of [one, other]) {
      const names = (await Array.fromAsync(clavis.keys.list({ keyspaceId }))).map(({ displayName }) => displayName);
      expect(new Set(names)).toEqual(new Set([tenantId]));
      expect(names).toHaveLength(40);
    }

    await using admin = await openSql(database.adminUrl);
    const [backends] = await admin.query<{ count: number }>(
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and usename = 'clavis_runtime'",
    );
    expect(backends?.count).toBeGreaterThan(0);
    expect(backends?.count).toBeLessThan(30);
    await using visitor = await openSql(pgbouncer?.url ?? "");
    const [left] = await visitor.query(
      "select coalesce(current_setting('clavis.tenant_id', true), '') as tenant, (select count(*)::int from clavis.keys) as keys",
    );
    expect(left).toEqual({ tenant: "", keys: 0 });
  });
});
