/** The lean path under callers who do not wait, and a Postgres that makes them. */
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, describe, expect, it } from "vitest";
import {
  Outcome,
  VerifyRequestSchema,
  VerifyResponseSchema,
  VerifyService,
} from "../../src/gen/clavis/v1/verify_service_pb.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openPostgresProxy } from "../harness/postgres-proxy.ts";
import { openTestService } from "../harness/service.ts";
import { openTenantHome } from "../harness/tenant-home.ts";
import { until } from "../harness/until.ts";
import { envelope, openWire, type Protocol, pathOf, type Wire } from "../harness/wire.ts";

const path = pathOf(VerifyService.method.verify);
const stack = new AsyncDisposableStack();
afterAll(async () => await stack.disposeAsync());

/** A service behind a wire to Postgres that can hang, and a Verify that is sound. */
async function setUp() {
  const database = stack.use(await openTestDatabase());
  const proxy = stack.use(await openPostgresProxy(database.url));
  const service = stack.use(
    await openTestService({ database, leanPath: true, env: { CLAVIS_DATABASE_URL: proxy.url } }),
  );
  const home = stack.use(await openTenantHome(service));
  const { id: keyspaceId } = await home.newKeyspace();
  const { secret } = await home.newKey(keyspaceId);
  const request = create(VerifyRequestSchema, { secret, keyspaceId });
  const binary = toBinary(VerifyRequestSchema, request);
  return {
    proxy,
    service,
    openWire: async () => stack.use(await openWire(service.url)),
    verify: (wire: Wire, protocol: Protocol = "grpc", headers: Readonly<Record<string, string>> = {}) => {
      const body = protocol === "connect+json" ? toJsonString(VerifyRequestSchema, request) : binary;
      return wire.send({ path, body, protocol, token: home.token, headers });
    },
    /** Asks, and comes back before there is an answer. */
    ask: (session: ClientHttp2Session): ClientHttp2Stream => {
      const authorization = `Bearer ${home.token}`;
      const head = {
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        authorization,
      };
      const stream = session.request(head);
      stream.on("error", () => {});
      stream.resume();
      stream.end(envelope(binary));
      return stream;
    },
    /** How many Verifies have ended in a way. */
    ended: async (code: string): Promise<number> => {
      const text = await (await fetch(`${service.operationsUrl}/metrics`)).text();
      const labels = `method="${VerifyService.typeName}/Verify",code="${code}"`;
      return Number(text.split(`clavis_rpc_seconds_count{${labels}} `)[1]?.split("\n")[0] ?? 0);
    },
  };
}

describe("a call on the lean path", () => {
  it("ends at its deadline while Postgres is silent, in each protocol", async () => {
    const { proxy, verify, openWire, ended } = await setUp();
    const wire = await openWire();
    // Nothing is cached yet.
    proxy.hang();
    const start = performance.now();
    const answers = await Promise.all([
      verify(wire, "grpc", { "grpc-timeout": "150m" }),
      verify(wire, "connect+proto", { "connect-timeout-ms": "150" }),
      verify(wire, "connect+json", { "connect-timeout-ms": "150" }),
    ]);
    expect(answers.map(({ code, httpStatus }) => [code, httpStatus])).toEqual([
      ["deadline_exceeded", 200],
      ["deadline_exceeded", 504],
      ["deadline_exceeded", 504],
    ]);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(await ended("deadline_exceeded")).toBe(3);
    proxy.restore();
    expect((await verify(wire)).code).toBe("ok");
  });

  it("ends when its caller goes", async () => {
    const { proxy, verify, ask, openWire, ended } = await setUp();
    const wire = await openWire();
    proxy.hang();
    const asked = Array.from({ length: 20 }, () => ask(wire.session));
    await delay(50);
    for (const stream of asked) stream.close();
    await until("the calls to end", async () => (await ended("canceled")) === 20);
    proxy.restore();
    expect((await verify(wire)).code).toBe("ok");
    expect(await ended("canceled")).toBe(20);
  });

  it("is finished when the service drains", async () => {
    const { proxy, service, ask, openWire } = await setUp();
    const { session } = await openWire();
    proxy.hang();
    const stream = ask(session);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const goneAway = new Promise((resolve) => session.once("goaway", resolve));
    const closed = new Promise((resolve) => stream.once("close", resolve));
    const drained = service[Symbol.asyncDispose]();
    await goneAway;
    proxy.restore();
    await Promise.all([closed, drained]);
    expect(fromBinary(VerifyResponseSchema, Buffer.concat(chunks).subarray(5)).outcome).toBe(Outcome.VALID);
  });
});

describe("a connection on the lean path", () => {
  it("outlives 200 calls a second that nobody waits for, and so do the others", async () => {
    const { verify, ask, openWire } = await setUp();
    const [busy, other] = [await openWire(), await openWire()];
    const farewells: number[] = [];
    for (const { session } of [busy, other]) session.on("goaway", (code) => farewells.push(code));
    let cancelled = 0;
    const start = performance.now();
    const elapsed = () => (performance.now() - start) / 1000;
    const codes = new Map<string, number>();
    while (elapsed() < 8) {
      for (; cancelled < 200 * elapsed(); cancelled++) {
        const stream = ask(busy.session);
        setTimeout(() => stream.close(8), 2);
      }
      const { code } = await verify(other);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(cancelled).toBeGreaterThanOrEqual(1500);
    expect([...codes.keys()]).toEqual(["ok"]);
    expect(farewells).toEqual([]);
    expect((await verify(busy)).code).toBe("ok");
  });

  it("is all that 5,000 rapid resets can harm", async () => {
    const { verify, ask, openWire } = await setUp();
    const [hostile, other] = [await openWire(), await openWire()];
    for (let count = 0; count < 5000 && !hostile.session.destroyed; count++) {
      ask(hostile.session).close(8);
      if (count % 100 === 0) expect((await verify(other)).code).toBe("ok");
    }
    expect((await verify(other)).code).toBe("ok");
    expect((await verify(await openWire())).code).toBe("ok");
  });
});
