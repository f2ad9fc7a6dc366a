import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClavis } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import {
  aFolder,
  anEmptyDatabase,
  embeddedIn,
  expectGapless,
  expectOutcomes,
  fill,
  onEmbedded,
  serverOn,
} from "../harness/backups.ts";
import { runCommand, startCommand } from "../harness/clavis-command.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openServiceOn } from "../harness/service-on.ts";
import { lockWaiters, openSql } from "../harness/sql.ts";
import { readStored, rowsIn } from "../harness/stored.ts";
import { createTestClock } from "../harness/test-clock.ts";
import { makeVariedKeys } from "../harness/varied-keys.ts";

// Each starts processes, and data folders take a second to make on a machine that is idle.
describe("a backup", { timeout: 90_000 }, () => {
  it("moves everything from a data folder to a database and into another folder", async () => {
    const folder = await aFolder();
    const file = join(folder, "moved.backup");
    const time = createTestClock();
    const first = embeddedIn(join(folder, "first"));
    const { tenants, request } = await makeDeployment(first, time);

    const before = await onEmbedded(first.CLAVIS_DATA_DIR, async (url) => {
      await makeOdd(url);
      return await readStored(url);
    });
    expect(before.tenants).toHaveLength(3);
    expect(before.audit_events?.length).toBeGreaterThan(50);
    expect(before.replays?.length).toBeGreaterThan(0);
    const backup = await runCommand(["backup", file], first);
    expect(backup).toMatchObject({ code: 0, stderr: expect.stringContaining(`: ${rowsIn(before)} rows.`) });
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const database = await anEmptyDatabase();
    const server = serverOn(database);
    expect(await runCommand(["restore", file], server)).toMatchObject({ code: 0 });
    expect(await readStored(database.adminUrl)).toEqual(before);
    {
      await using service = await openServiceOn(server, time.clock);
      for (const { token, secrets } of tenants) await expectOutcomes(service.url, token, secrets);
      await using clavis = createClavis({ baseUrl: service.url, token: tenants[0]?.token ?? "" });
      // The answer is not there any more, but that there was one is: it is not made a second time.
      await expect(clavis.keys.create(request)).rejects.toMatchObject({ reason: "ANSWER_LOST" });
      await clavis.keys.create({ keyspaceId: request.keyspaceId, displayName: "After the move" });
    }
    const after = await readStored(database.adminUrl);
    expect(after.audit_events).toHaveLength((before.audit_events?.length ?? 0) + 1);
    await expectGapless(database.adminUrl);

    expect(await runCommand(["backup", "--overwrite", file], server)).toMatchObject({ code: 0 });
    const second = embeddedIn(join(folder, "second"));
    expect(await runCommand(["restore", file], second)).toMatchObject({ code: 0 });
    expect(await onEmbedded(second.CLAVIS_DATA_DIR, readStored)).toEqual(after);
    {
      await using service = await openServiceOn(second, time.clock);
      for (const { token, secrets } of tenants) await expectOutcomes(service.url, token, secrets);
    }
    // The first start on the folder made a management key, of the tenant that was there first.
    expect(await readFile(join(second.CLAVIS_DATA_DIR, "management-key"), "utf8")).toMatch(/^clavis_mgmt_/);
    const owners = await onEmbedded(second.CLAVIS_DATA_DIR, async (url) => {
      await expectGapless(url);
      await using sql = await openSql(url);
      return await sql.query(
        `select t.display_name as tenant from clavis.keys k join clavis.tenants t using (tenant_id)
         where k.display_name = 'Management key'`,
      );
    });
    expect(owners).toEqual([{ tenant: "Default" }]);
  });

  it("is of one moment while the service writes", async () => {
    const folder = await aFolder();
    const env = embeddedIn(join(folder, "data"));
    await using service = await openServiceOn(env);
    const { token } = await service.newTenant();
    await using clavis = createClavis({ baseUrl: service.url, token });
    const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
    let created = 0;
    let stopped = false;
    const writers = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        await clavis.keys.create({ keyspaceId: keyspace.id, displayName: "CI" });
        created++;
      }
    });
    await using command = startCommand(["backup", "-"], env);
    command.stdin.end();
    const [begin] = (await once(command.stdout, "data")) as [Buffer];
    const createdBefore = created;
    const file = join(folder, "busy.backup");
    await writeFile(file, Buffer.concat([begin, ...((await command.stdout.toArray()) as Buffer[])]));
    expect(await command.exited).toMatchObject({ code: 0 });
    stopped = true;
    await Promise.all(writers);
    expect(createdBefore).toBeGreaterThan(0);
    expect(created).toBeGreaterThan(createdBefore);

    await using database = await openTestDatabase();
    expect(await runCommand(["restore", file], serverOn(database))).toMatchObject({ code: 0 });
    await expectGapless(database.adminUrl);
    await using sql = await openSql(database.adminUrl);
    const [{ keys, secrets, events } = { keys: 0, secrets: 0, events: 0 }] = await sql.query<Record<string, number>>(
      `select (select count(*)::int from clavis.keys) as keys,
              (select count(*)::int from clavis.key_secrets) as secrets,
              (select count(*)::int from clavis.audit_events where type = 'key.created') as events`,
    );
    expect([secrets, events]).toEqual([keys, keys]);
    // Two management keys were there before.
    expect(keys).toBeGreaterThan(2);
    expect(keys).toBeLessThan(created + 2);
  });

  it("of 100,000 rows takes hardly more memory than one of a few", { timeout: 180_000 }, async () => {
    await using source = await openTestDatabase();
    await fill(source.adminUrl, 50_000);
    // The rows together are larger.
    const env = { NODE_OPTIONS: "--max-old-space-size=32" };
    const file = join(await aFolder(), "large.backup");
    expect(await runCommand(["backup", file], { ...serverOn(source), ...env })).toMatchObject({ code: 0 });
    await using target = await openTestDatabase();
    expect(await runCommand(["restore", file], { ...serverOn(target), ...env })).toMatchObject({ code: 0 });
    await using sql = await openSql(target.adminUrl);
    const [found] = await sql.query(
      `select (select count(*)::int from clavis.keys) as keys,
              (select count(*)::int from clavis.key_secrets) as secrets,
              (select sum(length(to_jsonb(k)::text)) from clavis.keys k) > 32 * 1024 * 1024 as large`,
    );
    expect(found).toEqual({ keys: 50_000, secrets: 50_000, large: true });
  });

  it("has all tables of the schema", async () => {
    await using database = await openTestDatabase();
    const { code, stderr } = await runCommand(["backup", join(await aFolder(), "empty.backup")], serverOn(database));
    expect(code).toBe(0);
    const told = Array.from(stderr.matchAll(/^(\w+): 0 rows$/gm), ([, table]) => table);
    expect(new Set(told)).toEqual(new Set(Object.keys(await readStored(database.adminUrl))));
    expect(told.length).toBeGreaterThan(5);
  });

  it("replaces no file unasked", async () => {
    await using database = await openTestDatabase();
    const folder = await aFolder();
    const file = join(folder, "taken");
    await writeFile(file, "precious");
    const refused = await runCommand(["backup", file], serverOn(database));
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("is there already") });
    expect(await readFile(file, "utf8")).toBe("precious");
    expect(await runCommand(["backup", "--overwrite", file], serverOn(database))).toMatchObject({ code: 0 });
    expect(await readFile(file, "utf8")).not.toBe("precious");
    const folderRefused = await runCommand(["backup", "--overwrite", folder], serverOn(database));
    expect(folderRefused).toMatchObject({ code: 1, stderr: expect.stringContaining("is not a file") });
    expect(await readdir(folder)).toEqual(["taken"]);
  });

  it("leaves no half of a file when it is stopped, whatever it waits for", async () => {
    await using database = await openTestDatabase();
    const folder = await aFolder();
    await using sql = await openSql(database.adminUrl);
    await sql.query("begin; lock table clavis.keys in access exclusive mode");
    await using command = startCommand(["backup", join(folder, "stopped.backup")], serverOn(database));
    await lockWaiters(sql, 1);
    expect(await readdir(folder)).toHaveLength(1);
    command.signal("SIGINT");
    expect(await command.exited).toMatchObject({ code: 1, stderr: expect.stringContaining("stopped by SIGINT") });
    expect(await readdir(folder)).toEqual([]);
  });

  it("is refused to a role that does not see all rows", async () => {
    await using database = await openTestDatabase();
    const folder = await aFolder();
    const env = { ...serverOn(database), CLAVIS_MIGRATE_DATABASE_URL: database.url };
    const refused = await runCommand(["backup", join(folder, "blind.backup")], env);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("row-level security hides rows") });
    expect(await readdir(folder)).toEqual([]);
  });

  it("of nothing is refused, and makes nothing", async () => {
    const folder = await aFolder();
    const noFolder = await runCommand(["backup", join(folder, "none.backup")], embeddedIn(join(folder, "data")));
    expect(noFolder).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no Clavis") });
    const noTables = await runCommand(["backup", join(folder, "none.backup")], serverOn(await anEmptyDatabase()));
    expect(noTables).toMatchObject({ code: 1, stderr: expect.stringContaining("no tables of Clavis") });
    expect(await readdir(folder)).toEqual([]);
  });
});

/** Starts a Clavis and stops it, with two tenants more than it begins with and keys in every state. */
async function makeDeployment(env: Readonly<Record<string, string>>, time: ReturnType<typeof createTestClock>) {
  await using service = await openServiceOn(env, time.clock);
  const tenants = [];
  for (const displayName of ["Early", "Late"]) {
    // Tenants sort by the time at which they were made.
    time.advance(1);
    const { token } = await service.newTenant(displayName);
    await using clavis = createClavis({ baseUrl: service.url, token });
    tenants.push({ token, secrets: await makeVariedKeys(clavis, time) });
  }
  const [{ token, secrets } = { token: "", secrets: [] }] = tenants;
  await using clavis = createClavis({ baseUrl: service.url, token });
  const request = { keyspaceId: secrets[0]?.keyspaceId ?? "", displayName: "Once", requestId: randomUUID() };
  await clavis.keys.create(request);
  for (const tenant of tenants) await expectOutcomes(service.url, tenant.token, tenant.secrets);
  return { tenants, request };
}

/**
 * Puts in what the service would not write, but Postgres can hold: times to the microsecond, numbers beyond doubles.
 */
async function makeOdd(ownerUrl: string): Promise<void> {
  await using sql = await openSql(ownerUrl);
  await sql.query("update clavis.keys set create_time = create_time - interval '123456 microseconds'");
  await sql.query(
    `update clavis.keys
     set owner_id = e'\\t\\u2029{"@end"', metadata = '{"n": 12345678901234567890.123456789, "e": 1e-300}'
     where display_name = 'active'`,
  );
  await sql.query("update clavis.tenants set version = 9007199254740993 where display_name = 'Early'");
}
