import { expect, it } from "vitest";
import { testEnvironment } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { until } from "../harness/until.ts";
import { openOwnPostgres } from "./own-postgres.ts";
import { holdsLease, openPair } from "./pair.ts";
import { makePlace } from "./place.ts";

/** Nothing goes to the disk of itself while the test is about it. */
const lazy = { synchronous_commit: "off", wal_writer_delay: "10s", bgwriter_delay: "10s" };

/** More than what replicas commit of themselves before the revocation. */
const GIVEN_UP = 200;

/**
 * Transaction ids that were given to nothing that got to the disk are given again after a crash, on the same Postgres timeline.
 * Whoever has seen such an id end would take what is committed under it for known.
 */
it("honours a revocation under a transaction id that was given once before a crash", { timeout: 120_000 }, async () => {
  await using folder = await openTemporaryFolder();
  await using first = await openOwnPostgres(folder.path, lazy);
  const env = testEnvironment(first.url);
  const place = await makePlace(first.url, env);
  await using pair = await openPair({ databaseUrl: first.url, env, place });
  const { a, b } = pair;
  const key = await pair.makeKey("strict");
  expect(await pair.verifyAt(b, key)).toBe("VALID");

  let seen = "";
  {
    await using sql = await openSql(first.adminUrl);
    await sql.query("checkpoint");
    for (let count = 0; count < GIVEN_UP; count++) {
      await sql.query("begin");
      await sql.query("select pg_current_xact_id()");
      await sql.query("rollback");
    }
    const [row] = await sql.query<{ xid: string }>("select pg_snapshot_xmax(pg_current_snapshot())::text as xid");
    seen = row?.xid ?? "";
    const polls = await pollsOf();
    await until("both have seen them end", async () =>
      (await pollsOf()).every((now, index) => now > (polls[index] ?? 0) + 1),
    );
  }
  await first.crash();
  await first[Symbol.asyncDispose]();
  await using second = await openOwnPostgres(folder.path, lazy);
  await using sql = await openSql(second.adminUrl);
  const [row] = await sql.query<{ again: boolean }>(
    "select pg_snapshot_xmax(pg_current_snapshot()) < $1::text::xid8 as again",
    [seen],
  );
  expect(row?.again, "ids are given again").toBe(true);

  for (const node of [a, b]) node.postgres.failOver(second.url);
  await Promise.all([holdsLease(a), holdsLease(b)]);
  await pair.revokeAt(a, key);
  expect(await pair.verifyAt(b, key)).toBe("REVOKED");

  function pollsOf(): Promise<number[]> {
    return Promise.all([a, b].map((node) => node.figure('clavis_feed_polls_total{result="ok"}')));
  }
});
