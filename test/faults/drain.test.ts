import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type Clavis, createClavis } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { startOnFreePort } from "../harness/bound-process.ts";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";
import { testEnvironment } from "../harness/service.ts";
import { type ServiceProcess, startServiceProcess } from "../harness/service-process.ts";
import { lockWaiters, openSql, type Sql } from "../harness/sql.ts";
import { until } from "../harness/until.ts";

const DRAIN_DELAY_MS = 1_000;

/** All of a stop: the delay, and what there is to do, below the 10 s after which connections are broken off. */
const STOP_MS_MAX = DRAIN_DELAY_MS + 7_000;

interface Replica extends AsyncDisposable {
  readonly process: ServiceProcess;
  readonly url: string;
  isReady(): Promise<boolean>;
}

let database: TestDatabase;
let env: Record<string, string>;
let sql: Sql;
let token: string;
let keyspaceId: string;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await openTestDatabase());
  env = { ...testEnvironment(database.url), CLAVIS_DRAIN_DELAY_SECONDS: String(DRAIN_DELAY_MS / 1000) };
  sql = stack.use(await openSql(database.adminUrl));
  await using service = await startReplica();
  await using operator = createClavis({ baseUrl: service.url, token: env.CLAVIS_OPERATOR_KEYS ?? "" });
  token = (await operator.tenants.create({ displayName: "Test" })).managementSecret;
  await using clavis = createClavis({ baseUrl: service.url, token });
  keyspaceId = (await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" })).keyspace.id;
});

afterAll(() => stack.disposeAsync());

describe("a service that is told to stop", () => {
  it("says so first, finishes what is under way, says goodbye and ends with 0", async () => {
    await using service = await startReplica();
    await using clavis = createClavis({ baseUrl: service.url, token, attemptsMax: 1 });
    using idle = await openIdle(service.url);
    expect(await service.isReady()).toBe(true);

    // One call over HTTP/2 and one over HTTP/1.1 are under way for as long as we like.
    await holdKeyspace();
    const overHttp2 = clavis.keys.create({ keyspaceId, displayName: "HTTP/2" });
    const overHttp1 = fetch(`${service.url}/clavis.v1.KeyService/CreateKey`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ keyspaceId, displayName: "HTTP/1.1" }),
    });
    await lockWaiters(sql, 2);

    const start = performance.now();
    service.process.signal("SIGTERM");
    await until("readiness is off", async () => !(await service.isReady()));
    // Load balancers take a moment to notice, and are served meanwhile.
    expect(idle.goaway.seen).toBe(false);
    await expect(fetch(`${service.url}/`)).resolves.toBeInstanceOf(Response);

    await until("GOAWAY", () => idle.goaway.seen);
    await sql.query("rollback");
    expect((await overHttp2).key.displayName).toBe("HTTP/2");
    const answer = await overHttp1;
    expect(answer.status).toBe(200);
    expect(answer.headers.get("connection")).toBe("close");
    expect(await service.process.exited).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(STOP_MS_MAX);
    await expect(fetch(service.url)).rejects.toThrow();
  });

  it("is not held up by connections on which nothing happens", async () => {
    await using service = await startReplica();
    using idle = await openIdle(service.url);
    const start = performance.now();
    service.process.signal("SIGTERM");
    expect(await service.process.exited).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(STOP_MS_MAX);
    expect(idle.goaway.seen).toBe(true);
  });

  it("ends at once when it is told so again", async () => {
    await using service = await startReplica();
    await using clavis = createClavis({ baseUrl: service.url, token, attemptsMax: 1 });
    await holdKeyspace();
    const stuck = clavis.keys.create({ keyspaceId, displayName: "stuck" }).catch((error: unknown) => error);
    await lockWaiters(sql, 1);
    const start = performance.now();
    service.process.signal("SIGTERM");
    // Within a second it would be the same signal come twice, as from a terminal and from npm.
    await until("more than a second has passed", () => performance.now() - start > 1_100);
    const again = performance.now();
    service.process.signal("SIGTERM");
    expect(await service.process.exited).toMatchObject({ code: 128 + 15 });
    expect(performance.now() - again).toBeLessThan(STOP_MS_MAX / 4);
    expect(await stuck).toMatchObject({ reason: "UNREACHABLE" });
    await sql.query("rollback");
  });
});

it("two replicas that are replaced under load fail no call of a client that tries twice", async () => {
  await using first = await startReplica();
  await using second = await startReplica();
  await using balancer = await openBalancer([first, second]);
  await using clavis = createClavis({ baseUrl: balancer.url, token, attemptsMax: 2, verifyTimeoutMs: 10_000 });
  let calls = 0;
  let stopping = false;
  const failures: unknown[] = [];
  const load = Array.from({ length: 8 }, async (_, index) => {
    while (!stopping) {
      calls++;
      await callOnce(clavis, index).catch((error: unknown) => failures.push(error));
    }
  });
  await until("the load is on", () => calls > 50);

  first.process.signal("SIGTERM");
  expect(await first.process.exited).toMatchObject({ code: 0 });
  const between = calls;
  await using third = await startReplica();
  balancer.add(third);
  second.process.signal("SIGTERM");
  expect(await second.process.exited).toMatchObject({ code: 0 });
  const after = calls;
  await until("the load goes on", () => calls > after + 50);
  stopping = true;
  await Promise.all(load);
  expect(failures).toEqual([]);
  expect(between).toBeGreaterThan(50);
  expect(after).toBeGreaterThan(between);
}, 90_000);

async function callOnce(clavis: Clavis, index: number): Promise<void> {
  const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: `load ${index}` });
  await clavis.verify({ keyspaceId, secret });
  await clavis.keys.revoke(key.id);
}

async function startReplica(): Promise<Replica> {
  return await startOnFreePort(async (port) => {
    const process = await startServiceProcess({ ...env, CLAVIS_METRICS_LISTEN: `127.0.0.1:${port}` });
    return {
      process,
      url: process.url,
      isReady: () =>
        fetch(`http://127.0.0.1:${port}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      [Symbol.asyncDispose]: async () => await process.kill(),
    };
  });
}

async function holdKeyspace(): Promise<void> {
  await sql.query("begin");
  await sql.query("select from clavis.keyspaces where keyspace_id = $1 for update", [toUuid("ks", keyspaceId)]);
}

/** A connection of each kind on which nothing happens any more, or never has. */
async function openIdle(url: string) {
  const { port } = new URL(url);
  const silent = connect(Number(port), "127.0.0.1");
  const http1 = connect(Number(port), "127.0.0.1");
  for (const socket of [silent, http1]) socket.on("error", () => {});
  await once(silent, "connect");
  http1.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await once(http1, "data");

  const http2 = connectHttp2(url);
  const goaway = { seen: false };
  http2.on("goaway", () => {
    goaway.seen = true;
  });
  http2.on("error", () => {});
  const stream = http2.request({ ":path": "/" }).resume();
  stream.end();
  await once(stream, "close");
  return {
    goaway,
    [Symbol.dispose]() {
      http2.destroy();
      for (const socket of [silent, http1]) socket.destroy();
    },
  };
}

/** A load balancer as simple as can be: each new connection goes to a replica that is ready. */
async function openBalancer(replicas: Replica[]) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    void forward(near).catch(() => near.destroy());
  });
  async function forward(near: Socket): Promise<void> {
    near.on("error", () => {});
    const ready = await until("a replica is ready", async () => {
      for (const replica of replicas) if (await replica.isReady()) return replica;
      return undefined;
    });
    const far = connect(Number(new URL(ready.url).port), "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.setNoDelay();
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroySoon();
      });
    }
    near.pipe(far).pipe(near);
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (replica: Replica) => void replicas.push(replica),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
