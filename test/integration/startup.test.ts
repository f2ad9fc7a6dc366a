import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClavis, Outcome } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { startCommand } from "../harness/clavis-command.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openTestService, testEnvironment } from "../harness/service.ts";
import { runServiceToItsEnd, type ServiceProcess, startServiceProcess } from "../harness/service-process.ts";
import { openSql } from "../harness/sql.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { openTenant } from "../harness/tenant.ts";
import { until } from "../harness/until.ts";

describe("services on one Postgres", () => {
  it("may start at the same time on an empty database: one migrates, all serve, and serve the same", async () => {
    await using database = await openEmptyDatabase();
    const env = { ...testEnvironment(database.url), CLAVIS_MIGRATE_DATABASE_URL: database.adminUrl };
    await using stack = new AsyncDisposableStack();
    const starts = Array.from({ length: 4 }, () => openTestService({ database, env }));
    const services = (await Promise.all(starts)).map((service) => stack.use(service));
    const [first] = services;
    if (first === undefined) throw new Error("no service");
    const tenant = stack.use(await openTenant(first));

    expect(services).toHaveLength(4);
    for (const { url } of services) {
      const clavis = tenant.clientFor(tenant.token, url);
      const { keyspaceId } = tenant;
      const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: "CI" });
      const ask = (at: string) => tenant.clientFor(tenant.token, at).verify({ keyspaceId, secret });
      const before = await Promise.all(services.map((service) => ask(service.url)));
      expect(before.map(({ outcome }) => outcome)).toEqual(services.map(() => Outcome.VALID));
      await clavis.keys.revoke(key.id);
      const after = await Promise.all(services.map((service) => ask(service.url)));
      expect(after.map(({ outcome }) => outcome)).toEqual(services.map(() => Outcome.REVOKED));
    }
    await using sql = await openSql(database.adminUrl);
    const [migrations] = await sql.query(
      "select count(*)::int = count(distinct name)::int as once from clavis.migrations",
    );
    expect(migrations).toEqual({ once: true });
  });

  it("do not start without the schema, and say what to do", async () => {
    await using database = await openEmptyDatabase();
    const refusal = openTestService({ database });
    await expect(refusal).rejects.toThrow(/no schema of Clavis.*clavis migrate/);
  });

  it.each([
    { role: "a superuser", make: "superuser", says: /is a superuser/ },
    { role: "a role that passes by row-level security", make: "bypassrls", says: /has BYPASSRLS/ },
    { role: "the tables' owner", make: "", says: /owns Clavis's tables/ },
  ])("do not start as $role, and say what to do", async ({ make, says }) => {
    await using database = await openTestDatabase();
    await using sql = await openSql(database.adminUrl);
    const role = `excessive_${make || "owner"}`;
    await sql.query(`create role ${role} login ${make}`);
    try {
      await sql.query(`grant usage on schema clavis to ${role}`);
      await sql.query(`grant select on all tables in schema clavis to ${role}`);
      if (make === "") await sql.query(`alter table clavis.keys owner to ${role}`);
      const url = database.url.replace("clavis_runtime@", `${role}@`);
      expect(url).not.toBe(database.url);
      const refusal = openTestService({ database, env: { CLAVIS_DATABASE_URL: url } });
      await expect(refusal).rejects.toThrow(says);
      await expect(refusal).rejects.toThrow(`the role ${role} `);
      await expect(refusal).rejects.toThrow("CLAVIS_MIGRATE_DATABASE_URL");
    } finally {
      await sql.query(`drop owned by ${role} cascade`);
      await sql.query(`drop role ${role}`);
    }
  });

  it("end with 1 and a message for people where they cannot start", async () => {
    await using database = await openEmptyDatabase();
    const { code, output } = await runServiceToItsEnd(testEnvironment(database.url));
    expect(code).toBe(1);
    expect(output).toContain("clavis migrate");
    expect(output).not.toMatch(/^ +at .*\.ts:/m);
  });
});

describe("an embedded service", { timeout: 60_000 }, () => {
  it("does not say that it is ready where it was told to stop while it started", async () => {
    await using folder = await openTemporaryFolder();
    const dataDir = join(folder.path, "data");
    const env = { CLAVIS_LISTEN: "127.0.0.1:0", CLAVIS_METRICS_LISTEN: "off", CLAVIS_DATA_DIR: dataDir };
    await using command = startCommand(["serve"], env);
    const printed = text(command.stdout);
    await until("it makes its folder", () => existsSync(dataDir));
    command.signal("SIGTERM");
    expect(await command.exited).toMatchObject({ code: 0 });
    expect(await printed).not.toContain("ready");
    expect(processesIn(dataDir)).toEqual([]);
  });

  it("keeps others off its folder, its key from other users, its data over a restart, and dies with all that is its own", async () => {
    await using folder = await openTemporaryFolder();
    const dataDir = join(folder.path, "data");
    const env = { CLAVIS_LISTEN: "127.0.0.1:0", CLAVIS_METRICS_LISTEN: "off", CLAVIS_DATA_DIR: dataDir };
    const keyFile = join(dataDir, "management-key");

    const made = await withService(env, async (service) => {
      expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
      const { code, output } = await runServiceToItsEnd(env);
      expect(code).toBe(1);
      expect(output).toContain(`${dataDir} is in use by process ${service.pid}`);

      await using clavis = createClavis({ baseUrl: service.url, token: await readToken(keyFile) });
      const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
      const { secret } = await clavis.keys.create({ keyspaceId: keyspace.id, displayName: "CI" });
      service.signal("SIGTERM");
      expect(await service.exited).toMatchObject({ code: 0 });
      expect(processesIn(dataDir)).toEqual([]);
      return { keyspaceId: keyspace.id, secret };
    });

    await withService(env, async (service) => {
      await using clavis = createClavis({ baseUrl: service.url, token: await readToken(keyFile) });
      expect((await clavis.verify(made)).outcome).toBe(Outcome.VALID);
      expect(processesIn(dataDir).length).toBeGreaterThan(0);
      await service.kill();
      await until("its Postgres is gone", () => processesIn(dataDir).length === 0);
    });

    await withService(env, async (service) => {
      await using clavis = createClavis({ baseUrl: service.url, token: await readToken(keyFile) });
      const { outcome, key } = await clavis.verify(made);
      expect(outcome).toBe(Outcome.VALID);
      // It alone serves from the folder, so what it takes away waits for nobody that was killed, and for no leases of before.
      const { effectiveTime } = await clavis.keys.revoke(key?.id ?? "");
      expect(timestampMs(effectiveTime)).toBeLessThanOrEqual(Date.now());
    });
  });
});

async function withService<T>(env: Record<string, string>, work: (service: ServiceProcess) => Promise<T>): Promise<T> {
  await using service = await startServiceProcess(env);
  return await work(service);
}

/** A database with neither tables nor functions. */
async function openEmptyDatabase() {
  const database = await openTestDatabase();
  await using sql = await openSql(database.adminUrl);
  await sql.query("drop schema clavis cascade");
  return database;
}

async function readToken(file: string): Promise<string> {
  return (await readFile(file, "utf8")).trim();
}

/** The Postgres processes that have anything to do with a folder. */
function processesIn(folder: string): string[] {
  const lines = execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes(folder));
}
