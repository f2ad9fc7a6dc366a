import { afterAll, beforeAll, expect, it } from "vitest";
import { migrate } from "../../src/postgres/migrate.ts";
import { expectExactlyOnce, expectLifecycle } from "../harness/lifecycle.ts";
import { startTestPostgres } from "../harness/postgres.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";

let service: TestService;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const postgres = stack.use(await startTestPostgres({ version: 14, migrate }));
  service = stack.use(await openTestService({ postgres }));
});

afterAll(() => stack.disposeAsync());

it("is a Postgres 14 indeed", async () => {
  await using sql = await openSql(service.database.adminUrl);
  expect(await sql.query("select current_setting('server_version_num')::int / 10000 as version")).toEqual([
    { version: 14 },
  ]);
});

it("lets a key live its whole life", async () => {
  await expectLifecycle(service);
});

it("does changes exactly once", async () => {
  await expectExactlyOnce(service);
});
