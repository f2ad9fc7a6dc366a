import { type Clavis, createClavis, Outcome } from "@clavis/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startOnFreePort } from "../harness/bound-process.ts";
import { metricOf } from "../harness/metric-of.ts";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";
import { openTestService, testEnvironment } from "../harness/service.ts";
import { until } from "../harness/until.ts";
import { isAlive, startWorkerService } from "../harness/worker-service.ts";

/** More than the ten seconds that a worker may be silent. */
const STUCK_MS_MAX = 30_000;

let stack: AsyncDisposableStack;
let database: TestDatabase;
let env: Record<string, string>;
let token: string;
let keyspaceId: string;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await openTestDatabase());
  env = testEnvironment(database.url);
  await using service = await openTestService({ database, env });
  ({ token } = await service.newTenant());
  await using clavis = createClavis({ baseUrl: service.url, token });
  keyspaceId = (await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" })).keyspace.id;
});

afterAll(() => stack.disposeAsync());

it("a worker that is killed under load costs no call of a client that tries twice", { timeout: 60_000 }, async () => {
  await using service = await startWorkerService(env);
  await using clients = openClients(service.url, 4);
  let calls = 0;
  let stopping = false;
  const failures: unknown[] = [];
  const load = clients.list.map(async (clavis, index) => {
    while (!stopping && failures.length === 0) {
      calls++;
      await callOnce(clavis, index).catch((error: unknown) => failures.push(error));
    }
  });
  const past = (count: number) => until("the load goes on", () => failures.length > 0 || calls > count);
  try {
    await past(50);
    for (const [number, pid] of service.workers()) {
      process.kill(pid, "SIGKILL");
      await until("another has its place", () => service.workers().get(number) !== pid);
      await past(calls + 50);
    }
  } finally {
    stopping = true;
    await Promise.all(load);
  }
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(150);
});

it("a worker that is stuck is killed and replaced, while the other goes on", { timeout: 60_000 }, async () => {
  await using service = await startWorkerService(env);
  const [[number, pid] = [0, 0]] = service.workers();
  process.kill(pid, "SIGSTOP");
  await until("another has its place", () => service.workers().get(number) !== pid, STUCK_MS_MAX);
  expect(service.logged("a worker does not answer and is killed")).toMatchObject([{ worker: number, pid }]);
  await until("it is gone", () => !isAlive(pid));
  expect(service.logged("a worker has ended and is replaced")).toHaveLength(1);
  expect(await service.isReady()).toBe(true);
});

it("workers that are asked for their counts before they serve tell them once they do", async () => {
  await startOnFreePort(async (port) => {
    const operationsUrl = `http://127.0.0.1:${port}`;
    const starting = startWorkerService({ ...env, CLAVIS_METRICS_LISTEN: `127.0.0.1:${port}` });
    // It is not waited for where the start fails.
    starting.catch(() => {});
    const early = until("operations are there", () =>
      fetch(`${operationsUrl}/metrics`).then(
        (answer) => answer.text(),
        () => false,
      ),
    );
    await using service = await starting;
    expect(await early).toContain("clavis_workers");
    expect(await metricOf(service, "process_resident_memory_bytes")).toBeGreaterThan(0);
    expect(await metricOf(service, 'clavis_workers{state="ready"}')).toBe(2);
  });
});

/** Each with a connection of its own. */
function openClients(url: string, count: number) {
  const open = () => createClavis({ baseUrl: url, token, attemptsMax: 2, verifyTimeoutMs: 10_000 });
  const list = Array.from({ length: count }, open);
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const clavis of list) await clavis.close();
    },
  };
}

async function callOnce(clavis: Clavis, index: number): Promise<void> {
  const { secret } = await clavis.keys.create({ keyspaceId, displayName: `load ${index}` });
  const { outcome } = await clavis.verify({ keyspaceId, secret });
  if (outcome !== Outcome.VALID) throw new Error(`a new key has the outcome ${outcome}`);
}
