import { cp, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { giveTo } from "../../src/embedded/ownership.ts";
import { testEnvironment } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { until } from "../harness/until.ts";
import { argvWithout } from "./guards.ts";
import { openOwnPostgres } from "./own-postgres.ts";
import { holdsLease, openPair } from "./pair.ts";
import { makePlace } from "./place.ts";

const settings = { fsync: "off", wal_level: "replica", hot_standby: "on", wal_log_hints: "on" };

/** Ids that only the old primary gives, more than the new one gives of itself before the revocation. */
const LOST = 300;

/**
 * A primary fails over to a standby that lags: what was committed last is gone, and ids are given out again. Gives what B, which
 * has the key in its cache since before, says to a Verify after the key was revoked on the new primary.
 */
async function courseOfFailover(argv?: readonly string[]): Promise<{ lost: string; afterwards: string }> {
  await using folder = await openTemporaryFolder();
  const primaryPath = join(folder.path, "primary");
  await using primary = await openOwnPostgres(primaryPath, settings);
  await using sql = await openSql(primary.adminUrl);
  const env = testEnvironment(primary.url);
  const place = await makePlace(primary.url, env);
  const standbyPath = await copyAsStandby(primary.adminUrl, primary.dataDir, join(folder.path, "standby"));
  await using standby = await openOwnPostgres(standbyPath, settings);
  await using standbySql = await openSql(standby.adminUrl);

  await using pair = await openPair({ databaseUrl: primary.url, env, place, argv });
  const { a, b } = pair;
  const key = await pair.makeKey("strict");
  const other = await pair.makeKey("strict");
  expect(await pair.verifyAt(b, key)).toBe("VALID");
  await until("the standby has it", async () => {
    const [now] = await sql.query<{ at: string }>("select pg_current_wal_lsn()::text as at");
    const [row] = await standbySql.query<{ there: boolean }>("select pg_last_wal_replay_lsn() >= $1::pg_lsn as there", [
      now?.at,
    ]);
    return row?.there;
  });

  // The standby hears no more.
  await standbySql.query("alter system set primary_conninfo = ''");
  await standbySql.query("select pg_reload_conf()");
  await until("replication has ended", async () => (await sql.query("select from pg_stat_replication")).length === 0);
  for (let count = 0; count < LOST; count++) await sql.query("select pg_current_xact_id()");
  await pair.revokeAt(a, other);
  expect(await pair.verifyAt(b, other)).toBe("REVOKED");

  for (const node of [a, b]) node.postgres.hang();
  await standbySql.query("select pg_promote()");
  await follow(a);
  // What was lost nobody can know of, and no replica goes on as if it did.
  const lost = await pair.verifyAt(a, other);
  await pair.revokeAt(a, key);
  await follow(b);
  return { lost, afterwards: await pair.verifyAt(b, key) };

  async function follow(node: typeof a): Promise<void> {
    const polls = 'clavis_feed_polls_total{result="ok"}';
    const before = await node.figure(polls);
    node.postgres.failOver(standby.url);
    node.postgres.restore();
    await until(`${node.name} polls the new primary`, async () => (await node.figure(polls)) > before + 1);
    await holdsLease(node);
  }
}

/** A copy of a primary that runs, which follows it from then on. */
async function copyAsStandby(adminUrl: string, dataDir: string, path: string): Promise<string> {
  await using sql = await openSql(adminUrl);
  const target = join(path, "postgres");
  await sql.query("select pg_backup_start('standby', true)");
  await cp(dataDir, target, { recursive: true, filter: (name) => !/postmaster\.(pid|opts)$/.test(name) });
  const [row] = await sql.query<{ labelfile: string }>("select labelfile from pg_backup_stop(false)");
  await writeFile(join(target, "backup_label"), row?.labelfile ?? "");
  await rm(join(target, "postgresql.auto.conf"));
  const host = new URL(adminUrl.replace("@/", "@socket/")).searchParams.get("host");
  await writeFile(join(target, "postgresql.auto.conf"), `primary_conninfo = 'host=${host} port=5432 user=postgres'\n`);
  await writeFile(join(target, "standby.signal"), "");
  // Postgres may have to run as another user than we do.
  const { uid, gid } = await stat(dataDir);
  await giveTo({ uid, gid }, target);
  return path;
}

describe("a failover that loses what was committed last", { timeout: 120_000 }, () => {
  it("makes replicas start anew, and a revocation made after it is honoured", async () => {
    expect(await courseOfFailover()).toEqual({ lost: "VALID", afterwards: "REVOKED" });
  });

  it("is missed where one history is taken for the other", async () => {
    expect(await courseOfFailover(argvWithout("timeline"))).toMatchObject({ afterwards: "VALID" });
  });
});
