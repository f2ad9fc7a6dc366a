import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";
import { testEnvironment } from "../harness/service.ts";
import { openSql, type Sql } from "../harness/sql.ts";
import { until } from "../harness/until.ts";
import { argvWithout, type Guard } from "./guards.ts";
import { holdsLease, openPair, type Pair } from "./pair.ts";
import { makePlace, type Place } from "./place.ts";

/**
 * A course for each guard, at whose end B is asked to verify a key whose end has taken effect. `timeline` has its own, in
 * `lossy-failover.test.ts`: there it takes a second Postgres.
 */
const courses: Readonly<Record<Exclude<Guard, "timeline">, (pair: Pair, sql: Sql) => Promise<string>>> = {
  /** Frozen and cut off while the key is revoked, B wakes up to a Postgres that says nothing. */
  async lease(pair) {
    const { a, b } = pair;
    const key = await pair.makeKey("strict");
    expect(await pair.verifyAt(b, key)).toBe("VALID");
    b.disconnect("hang");
    b.freeze();
    await pair.revokeAt(a, key);
    b.thaw();
    return pair.verifyAt(b, key);
  },

  /** B has it in its cache, and hears of the change. */
  async floors(pair) {
    const { a, b } = pair;
    const key = await pair.makeKey("strict");
    expect(await pair.verifyAt(b, key)).toBe("VALID");
    await pair.revokeAt(a, key);
    return pair.verifyAt(b, key);
  },

  roster: withoutWord,
  bound: withoutWord,

  /** What B has not seen is trimmed meanwhile. */
  async trimmed(pair, sql) {
    const { a, b } = pair;
    const key = await pair.makeKey("strict");
    expect(await pair.verifyAt(b, key)).toBe("VALID");
    b.disconnect("hang");
    await pair.revokeAt(a, key);
    await sql.query("select clavis.trim_changes(pg_snapshot_xmax(pg_current_snapshot()))");
    b.reconnect();
    await holdsLease(b);
    return pair.verifyAt(b, key);
  },

  /** Nobody can know of B, for it cannot write its row. */
  async membership(pair, sql) {
    const { a, b } = pair;
    await b.kill();
    // A makes a new row when it misses its own, and B's is gone for good.
    await sql.query("delete from clavis.members");
    await until("A is back", async () => (await sql.query("select from clavis.members")).length === 1);
    await sql.query(`create function clavis.refuse() returns trigger language plpgsql as $$
      begin raise exception 'no more members'; end $$`);
    await sql.query("create trigger refusal before insert on clavis.members execute function clavis.refuse()");
    await using _ = {
      [Symbol.asyncDispose]: async () => void (await sql.query("drop function clavis.refuse cascade")),
    };
    await b.start();
    await until("B polls", async () => (await b.figure('clavis_feed_polls_total{result="ok"}')) > 0);
    const key = await pair.makeKey("available");
    expect(await pair.verifyAt(b, key)).toBe("VALID");
    b.disconnect("cut");
    await pair.revokeAt(a, key);
    return pair.verifyAt(b, key);
  },

  /** B cannot hear of it, and its lease has ended. */
  async mode(pair) {
    const { a, b } = pair;
    const key = await pair.makeKey("strict");
    expect(await pair.verifyAt(b, key)).toBe("VALID");
    b.disconnect("cut");
    await pair.revokeAt(a, key);
    return pair.verifyAt(b, key);
  },
};

/** B hears of nothing and says nothing, but its lease still runs. */
async function withoutWord(pair: Pair): Promise<string> {
  const { a, b } = pair;
  const key = await pair.makeKey("strict");
  expect(await pair.verifyAt(b, key)).toBe("VALID");
  b.disconnect("hang");
  await pair.revokeAt(a, key);
  return pair.verifyAt(b, key);
}

/** On a busy machine a lease may have ended before it could do harm. */
const ATTEMPTS = 10;

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

// Those of the test before are dead, but their rows would count on.
beforeEach(async () => void (await sql.query("delete from clavis.members")));

afterAll(() => stack.disposeAsync());

describe.each(Object.entries(courses))("the guard %s", { timeout: 60_000 }, (name, course) => {
  const guard = name as keyof typeof courses;

  it("lets nobody in whose end has taken effect", async () => {
    await using pair = await openPair({ databaseUrl: database.url, env, place });
    expect(await course(pair, sql)).not.toBe("VALID");
  });

  it("is missed where it is not", async () => {
    await using pair = await openPair({ databaseUrl: database.url, env, place, argv: argvWithout(guard) });
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      if ((await course(pair, sql)) === "VALID") return;
      pair.b.reconnect();
      await holdsLease(pair.b);
    }
    expect.fail(`not found out in ${ATTEMPTS} attempts`);
  });
});
