import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createClavis, Outcome } from "@clavis/sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { createCertificate } from "../harness/certificate.ts";
import { type CommandExit, runCommand } from "../harness/clavis-command.ts";
import { metricOf } from "../harness/metric-of.ts";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";
import { openTestService, testEnvironment } from "../harness/service.ts";
import { lockWaiters, openSql, type Sql } from "../harness/sql.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { until } from "../harness/until.ts";
import { isAlive, startWorkerService, type WorkerService } from "../harness/worker-service.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const HEALTH = "grpc.health.v1.Health/Check";
const CREATE = "clavis.v1.KeyService/CreateKey";
const READY = 'clavis_workers{state="ready"}';
const HEALTH_CALLS = `clavis_rpc_seconds_count{method="grpc.health.v1.Health/Check",code="ok"}`;

/** Rows that are left lapse after no less than 10 s. */
const FORGOTTEN_MS_MAX = 9_000;

/** A primary gives its workers 12 s where there is no drain delay. */
const HANGING_MS_MAX = 25_000;

let stack: AsyncDisposableStack;
let database: TestDatabase;
let env: Record<string, string>;
let sql: Sql;
let token: string;
let keyspaceId: string;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await openTestDatabase());
  env = testEnvironment(database.url);
  sql = stack.use(await openSql(database.adminUrl));
  await using service = await openTestService({ database, env });
  ({ token } = await service.newTenant());
  await using clavis = createClavis({ baseUrl: service.url, token });
  keyspaceId = (await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" })).keyspace.id;
});

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  await sql.query("delete from clavis.members");
});

describe("a service of two workers", { timeout: 60_000 }, () => {
  it("answers with both on one port, and counts what both have done", async () => {
    await using service = await startWorkerService({ ...env, CLAVIS_LOG_LEVEL: "debug" });
    const calls = 6;
    for (let call = 0; call < calls; call++) expect((await service.post(HEALTH, {})).status).toBe(200);
    expect(new Set(service.logged("call").map(({ worker }) => worker))).toEqual(new Set([1, 2]));
    expect(await metricOf(service, HEALTH_CALLS)).toBe(calls);
    expect(await metricOf(service, READY)).toBe(2);
    expect(await members()).toHaveLength(2);
  });

  it("takes a right away from both at once", async () => {
    await using service = await startWorkerService(env);
    await using clavis = createClavis({ baseUrl: service.url, token });
    const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: "CI" });
    const ask = async () => {
      await using one = createClavis({ baseUrl: service.url, token });
      return (await one.verify({ keyspaceId, secret })).outcome;
    };
    const times = Array.from({ length: 4 });
    expect(await Promise.all(times.map(ask))).toEqual(times.map(() => Outcome.VALID));
    await clavis.keys.revoke(key.id);
    expect(await Promise.all(times.map(ask))).toEqual(times.map(() => Outcome.REVOKED));
  });

  it("shows no secret to who lists processes", async () => {
    await using service = await startWorkerService(env);
    const [pid = 0] = service.workers().values();
    const argv = execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" });
    expect(argv).toMatch(/main\.ts serve\n$/);
  });

  it("replaces one that dies, goes on meanwhile, forgets its row and none of its counts", async () => {
    await using service = await startWorkerService(env);
    for (let call = 0; call < 4; call++) await service.post(HEALTH, {});
    expect(await metricOf(service, HEALTH_CALLS)).toBe(4);
    const before = await until("both are members", async () => {
      const ids = await members();
      return ids.length === 2 && ids;
    });
    const [dead = 0] = service.workers().values();
    process.kill(dead, "SIGKILL");
    await until("it is dead", () => !isAlive(dead));
    expect((await service.post(HEALTH, {})).status).toBe(200);
    expect(await service.isReady()).toBe(true);

    const forgotten = until("its row is gone", async () => (await remaining(before)).length === 1, FORGOTTEN_MS_MAX);
    const alive = await until("it is replaced", () => !Array.from(service.workers().values()).includes(dead) && true);
    expect(alive).toBe(true);
    await forgotten;
    await until("the new one is a member", async () => (await members()).length === 2);
    expect(service.logged("a worker has ended and is replaced")).toMatchObject([{ how: "SIGKILL", delayMs: 0 }]);
    expect(await metricOf(service, HEALTH_CALLS)).toBe(5);
    expect(await metricOf(service, "clavis_worker_replacements_total")).toBe(1);
  });

  it("replaces one that is told to stop, once it has finished what is under way", async () => {
    await using service = await startWorkerService(env);
    await holdKeyspace();
    // One for each, as they take turns.
    const calls = [createKey(service), createKey(service)];
    await lockWaiters(sql, calls.length);
    const [told = 0] = service.workers().values();
    process.kill(told, "SIGTERM");
    await until("it wants no calls", async () => (await metricOf(service, READY)) === 1);
    expect((await service.post(HEALTH, {})).status).toBe(200);
    expect(isAlive(told)).toBe(true);
    await sql.query("rollback");
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200]);
    await until("it is replaced", () => service.logged("a worker serves").length === 3);
    expect(service.logged("a worker has ended and is replaced")).toMatchObject([{ how: "exit code 0", pid: told }]);
    expect((await service.post(HEALTH, {})).status).toBe(200);
  });

  it("drains with all workers when it is told to stop", async () => {
    await using service = await startWorkerService({ ...env, CLAVIS_DRAIN_DELAY_SECONDS: "1" });
    const pids = [...service.workers().values()];
    await holdKeyspace();
    const calls = Array.from({ length: 4 }, () => createKey(service));
    await lockWaiters(sql, calls.length);
    service.signal("SIGTERM");
    await until("readiness is off", async () => !(await service.isReady()));
    // Load balancers take a moment to notice, and are served meanwhile.
    expect((await service.post(HEALTH, {})).status).toBe(200);
    await until("the port is closed", async () => await refuses(service));
    expect(pids.filter(isAlive)).toEqual(pids);
    await sql.query("rollback");
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
    expect(pids.filter(isAlive)).toEqual([]);
    expect(await members()).toEqual([]);
    expect(service.logged("a worker has ended and is replaced")).toEqual([]);
  });

  it("leaves no worker behind where it is told to stop a second time", async () => {
    await using service = await startWorkerService(env);
    const pids = [...service.workers().values()];
    await holdKeyspace();
    const stuck = createKey(service).catch((error: unknown) => error);
    await lockWaiters(sql, 1);
    const first = performance.now();
    service.signal("SIGTERM");
    // Within a second it would be the same signal come twice.
    await until("more than a second has passed", () => performance.now() - first > 1_100);
    service.signal("SIGTERM");
    expect(await service.exited).toMatchObject({ code: 128 + 15 });
    expect(await stuck).toBeInstanceOf(Error);
    await until("no worker is left", () => pids.filter(isAlive).length === 0);
    await sql.query("rollback");
  });

  it("kills one that hangs when all are to stop", async () => {
    await using service = await startWorkerService(env);
    const pids = [...service.workers().values()];
    const [[hanging, pid] = [0, 0]] = service.workers();
    process.kill(pid, "SIGSTOP");
    // What it told before counts on while it hangs.
    expect(await metricOf(service, 'clavis_workers{state="running"}')).toBe(2);
    const start = performance.now();
    service.signal("SIGTERM");
    expect(await service.exited).toMatchObject({ code: 0 });
    expect(performance.now() - start).toBeLessThan(HANGING_MS_MAX);
    expect(service.logged("workers that have not stopped in time are killed")).toMatchObject([{ workers: [hanging] }]);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it("ends as it was told where the workers heard it too, before they were there", async () => {
    const settings = { ...env, CLAVIS_WORKERS: "2" };
    // A terminal sends its signals to all of a group.
    const service = spawn(process.execPath, [MAIN, "serve"], {
      env: settings,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const exited = once(service, "exit");
    const printed = Promise.all([text(service.stdout), text(service.stderr)]);
    const pid = service.pid ?? 0;
    onTestFinished(() => {
      for (const one of [...childrenOf(pid), pid]) if (isAlive(one)) process.kill(one, "SIGKILL");
    });
    const workers = await until("the workers begin", () => {
      const pids = childrenOf(pid);
      return pids.length === 2 && pids;
    });
    process.kill(-pid, "SIGINT");
    expect(await exited).toEqual([0, null]);
    expect(workers.filter(isAlive)).toEqual([]);
    const [log, errors] = await printed;
    expect(log).not.toContain('"serving"');
    expect(errors).toBe("");
  });

  it("finishes what is under way where its primary is killed, and ends", async () => {
    await using service = await startWorkerService(env);
    const pids = [...service.workers().values()];
    await holdKeyspace();
    const calls = Array.from({ length: 4 }, () => createKey(service));
    await lockWaiters(sql, calls.length);
    service.signal("SIGKILL");
    await until("the port is closed", async () => await refuses(service));
    expect(pids.filter(isAlive)).toEqual(pids);
    await sql.query("rollback");
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await service.exited).toMatchObject({ signal: "SIGKILL" });
    await until("the workers have ended", () => pids.filter(isAlive).length === 0);
    expect(await members()).toEqual([]);
  });

  it("speaks TLS with both", async () => {
    const authority = createCertificate("Test authority");
    const { cert, key } = authority.issue("localhost");
    await using folder = await openTemporaryFolder();
    const files = {
      CLAVIS_TLS_CERT_FILE: join(folder.path, "cert.pem"),
      CLAVIS_TLS_KEY_FILE: join(folder.path, "key"),
    };
    await writeFile(files.CLAVIS_TLS_CERT_FILE, cert);
    await writeFile(files.CLAVIS_TLS_KEY_FILE, key);
    await using service = await startWorkerService({ ...env, ...files, CLAVIS_LOG_LEVEL: "debug" });
    for (let call = 0; call < 4; call++) {
      expect(await postOverTls(`${service.url}/${HEALTH}`, authority.cert)).toContain("SERVING");
    }
    expect(new Set(service.logged("call").map(({ worker }) => worker))).toEqual(new Set([1, 2]));
  });
});

describe("a service of two workers of its own", { timeout: 60_000 }, () => {
  it("is embedded as one process is: one greeting, one Postgres, one management key", async () => {
    await using folder = await openTemporaryFolder();
    const dataDir = join(folder.path, "data");
    const embedded = { CLAVIS_LISTEN: "127.0.0.1:0", CLAVIS_METRICS_LISTEN: "127.0.0.1:0", CLAVIS_DATA_DIR: dataDir };
    await using service = await startWorkerService({ ...embedded, CLAVIS_WORKERS: "2" }, []);
    expect(service.output().match(/Clavis is ready/g)).toHaveLength(1);
    expect(service.workers().size).toBe(2);
    const flags = ["--url", service.url, "--key-file", join(dataDir, "management-key")];
    for (const prefix of ["one", "two", "three", "four"]) {
      const command = ["keyspaces", "create", "--display-name", prefix, "--prefix", prefix, ...flags];
      expect(await runCommand(command, {})).toMatchObject({ code: 0 });
    }
    const pids = [...service.workers().values()];
    service.signal("SIGTERM");
    expect(await service.exited).toMatchObject({ code: 0 });
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe("a service of several workers that cannot start", { timeout: 60_000 }, () => {
  it.each(["0", "65", "many", ""])("refuses %j of them before it does anything", async (count) => {
    expect(await runCommand(["serve", "--workers", count], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("auto, or a whole number from 1 to 64"),
    });
  });

  it("refuses as many by its environment", async () => {
    expect(await runCommand(["serve"], { ...env, CLAVIS_WORKERS: "0" })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("CLAVIS_WORKERS must be auto, or a whole number from 1 to 64"),
    });
  });

  it("fails in a worker's words as one process would, once", async () => {
    await using empty = await openTestDatabase();
    await using admin = await openSql(empty.adminUrl);
    await admin.query("drop schema clavis cascade");
    const failure = await failureOf({ ...env, CLAVIS_DATABASE_URL: empty.url });
    expect(failure.stderr.match(/clavis migrate/g)).toHaveLength(1);
    expect(failure.stderr).not.toMatch(/^ +at /m);
  });

  it("fails where the port is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as { port: number };
    const failure = await failureOf({ ...env, CLAVIS_LISTEN: `127.0.0.1:${port}` });
    taken.close();
    expect(failure.stderr).toContain(`127.0.0.1:${port} is in use already`);
  });
});

/** How `serve` ends, which is to be with 1. */
async function failureOf(environment: Record<string, string>): Promise<CommandExit> {
  const exit = await runCommand(["serve", "--workers", "2"], environment);
  expect(exit).toMatchObject({ code: 1 });
  return exit;
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).split("\n");
  const processes = lines.map((line) => line.trim().split(/ +/).map(Number));
  return processes.filter(([, parent]) => parent === pid).map(([child]) => Number(child));
}

async function members(): Promise<string[]> {
  return (await sql.query<{ id: string }>("select member_id as id from clavis.members")).map(({ id }) => id);
}

async function remaining(ids: readonly string[]): Promise<string[]> {
  return (await members()).filter((id) => ids.includes(id));
}

async function holdKeyspace(): Promise<void> {
  await sql.query("begin");
  await sql.query("select from clavis.keyspaces where keyspace_id = $1 for update", [toUuid("ks", keyspaceId)]);
}

function createKey(service: WorkerService) {
  return service.post(CREATE, { keyspaceId, displayName: "CI" }, token);
}

async function refuses(service: WorkerService): Promise<boolean> {
  return service.post(HEALTH, {}).then(
    () => false,
    () => true,
  );
}

function postOverTls(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const req = request(url, { method: "POST", agent: false, ca, servername: "localhost", headers }, (res) => {
      text(res).then(resolve, reject);
    });
    req.on("error", reject);
    req.end("{}");
  });
}
