import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";
import { testEnvironment } from "../harness/service.ts";
import { lockWaiters, openSql, type Sql } from "../harness/sql.ts";
import { until } from "../harness/until.ts";
import { openPair, type Pair, type PairKey } from "./pair.ts";
import { makePlace, type Place } from "./place.ts";

/** What is promised from the COMMIT on. Whoever waits for that long and is not told a time ahead was told what holds. */
const maxWait = { milliseconds: 1_100 };

let stack: AsyncDisposableStack;
let database: TestDatabase;
let env: Record<string, string>;
let sql: Sql;
let place: Place;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await openTestDatabase());
  env = testEnvironment(database.url);
  sql = stack.use(await openSql(database.adminUrl));
  place = await makePlace(database.url, env);
});

beforeEach(async () => void (await sql.query("delete from clavis.members")));

afterAll(() => stack.disposeAsync());

describe("RevokeKey in a strict keyspace holds within its bound", { timeout: 60_000 }, () => {
  it("while a replica is frozen, which asks anew when it wakes up", async () => {
    await using pair = await openPair({ databaseUrl: database.url, env, place });
    const key = await cachedKey(pair);
    pair.b.freeze();
    expect(await isHeld(pair, key)).toBe(true);
    pair.b.thaw();
    expect(await pair.verifyAt(pair.b, key)).toBe("REVOKED");
  });

  it("while a replica is cut off from Postgres, which then tells nobody that the key is valid", async () => {
    await using pair = await openPair({ databaseUrl: database.url, env, place });
    const key = await cachedKey(pair);
    pair.b.disconnect("hang");
    expect(await isHeld(pair, key)).toBe(true);
    expect(await pair.verifyAt(pair.b, key)).not.toBe("VALID");
  });

  it("from when its own replica wakes up, frozen between its last statement and the COMMIT", async () => {
    await using pair = await openPair({ databaseUrl: database.url, env, place });
    const { a, b } = pair;
    const key = await cachedKey(pair);
    // Its last statement waits for the audit head, and COMMIT is on the way with it.
    await sql.query("begin");
    await sql.query("select from clavis.audit_heads for update");
    const held = isHeld(pair, key);
    await lockWaiters(sql, 1);
    a.freeze();
    b.freeze();
    await sql.query("rollback");
    await until("it is committed", async () => (await revokedKeys()) === 1);
    a.thaw();
    expect(await held).toBe(true);
    expect(await pair.verifyAt(a, key)).toBe("REVOKED");
    b.thaw();
    expect(await pair.verifyAt(b, key)).toBe("REVOKED");

    async function revokedKeys(): Promise<number> {
      const rows = await sql.query("select from clavis.keys where revoke_time is not null and key_id = $1", [
        toUuid("key", key.keyId),
      ]);
      return rows.length;
    }
  });
});

/** A key that both replicas have in their caches. */
async function cachedKey(pair: Pair): Promise<PairKey> {
  const key = await pair.makeKey("strict");
  for (const node of [pair.a, pair.b]) expect(await pair.verifyAt(node, key)).toBe("VALID");
  return key;
}

/** Whether A's answer says that it holds already. */
async function isHeld({ a }: Pair, { keyId }: PairKey): Promise<boolean> {
  const answer = await a.clavis?.keys.revoke(keyId, { maxWait });
  return answer !== undefined && timestampMs(answer.effectiveTime) <= Date.now();
}
