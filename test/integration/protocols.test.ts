import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import type { Transport } from "@connectrpc/connect";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../sdk/gen/clavis/v1/keyspace_service_pb.ts";
import { Outcome, VerifyService } from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { openTestService } from "../harness/service.ts";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { service, home } = await setUpHome();
const missingKeyId = `key_${"0".repeat(26)}`;
const CALL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const credentials = { authorization: `Bearer ${home.token}`, "content-type": "application/json" };

/** Each way in which a caller may speak. */
const ways: [string, (baseUrl: string) => Transport][] = [
  [
    "Connect in JSON over HTTP/1.1",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  [
    "Connect in binary over HTTP/1.1",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  ],
  [
    "Connect in JSON over HTTP/2",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  ],
  [
    "Connect in binary over HTTP/2",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
  ],
  [
    "Connect with GET over HTTP/1.1",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  ],
  [
    "Connect with GET over HTTP/2",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useHttpGet: true }),
  ],
  ["gRPC over HTTP/2", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC in JSON over HTTP/2", (baseUrl) => createGrpcTransport({ baseUrl, useBinaryFormat: false })],
  ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["gRPC-Web over HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
  [
    "gRPC-Web in JSON over HTTP/1.1",
    (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
];

describe("one port, all at the same time", () => {
  it.concurrent.each(ways)("speaks %s: changes, reads, verdicts, errors, streams", async (way, open) => {
    const transport = open(service.url);
    const headers = { authorization: `Bearer ${home.token}` };
    const ids: (string | null)[] = [];
    const options = { headers, onHeader: (answer: Headers) => void ids.push(answer.get("clavis-call-id")) };
    const keys = createClient(KeyService, transport);

    const { keyspace } = await createClient(KeyspaceService, transport).createKeyspace(
      { displayName: way, prefix: "acme_live" },
      options,
    );
    const keyspaceId = keyspace?.id ?? "";
    const metadata = { way, n: 1.5, deep: [true, null] };
    const { key, secret } = await keys.createKey({ keyspaceId, displayName: "é 🗝", metadata }, options);
    expect((await keys.getKey({ keyId: key?.id ?? "" }, options)).key).toEqual(key);
    expect(key).toMatchObject({ displayName: "é 🗝", metadata });
    const verdict = await createClient(VerifyService, transport).verify({ secret, keyspaceId }, options);
    expect(verdict).toMatchObject({ outcome: Outcome.VALID, key: { id: key?.id, metadata } });
    const { keys: listed } = await keys.listKeys({ keyspaceId, filter: { text: "🗝" } }, options);
    expect(listed).toEqual([key]);

    const missing = await errorOf(keys.getKey({ keyId: missingKeyId }, { headers }));
    expect(missing).toMatchObject({
      code: "NotFound",
      message: "no such key",
      reason: "KEY_NOT_FOUND",
      domain: "clavis.dev",
      facts: { key_id: missingKeyId },
    });
    const stranger = await errorOf(keys.getKey({ keyId: missingKeyId }));
    expect(stranger).toMatchObject({ code: "Unauthenticated", reason: "CREDENTIAL_REJECTED" });
    ids.push(missing.callId, stranger.callId);

    const leaving = new AbortController();
    const seen: Status[] = [];
    const watch = createClient(Health, transport).watch({}, { signal: leaving.signal, onHeader: options.onHeader });
    const ended = (async () => {
      for await (const { status } of watch) {
        seen.push(status);
        leaving.abort();
      }
    })();
    await expect(ended).rejects.toMatchObject({ code: Code.Canceled });
    expect(seen).toEqual([Status.SERVING]);

    expect(ids).toEqual(Array(8).fill(expect.stringMatching(CALL_ID)));
    expect(new Set(ids).size).toBe(8);
  });

  it("announces how many streams one connection may have", async () => {
    const session = connectHttp2(service.url);
    const [settings] = await once(session, "remoteSettings");
    expect(settings).toMatchObject({ maxConcurrentStreams: 256, maxHeaderListSize: 16 * 1024 });
    session.close();
  });

  it("ends a stream at the deadline that the caller named", async () => {
    for (const [way, open] of ways.filter(([name]) => !name.includes("GET"))) {
      const seen: Status[] = [];
      const ended = (async () => {
        const watch = createClient(Health, open(service.url)).watch({}, { timeoutMs: 60 });
        for await (const { status } of watch) seen.push(status);
      })();
      await expect(ended, way).rejects.toMatchObject({ code: Code.DeadlineExceeded });
      expect(seen, way).toEqual([Status.SERVING]);
    }
  });

  it("keeps to a deadline by itself, whatever the caller does", async () => {
    const session = connectHttp2(service.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Watch",
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": "50m",
    });
    stream.end(Buffer.alloc(5));
    const [trailers] = await Promise.all([once(stream, "trailers"), stream.resume() && once(stream, "end")]);
    expect(trailers[0]).toMatchObject({ "grpc-status": "4", "clavis-call-id": expect.stringMatching(CALL_ID) });
    session.close();
  });
});

describe("plain HTTP", () => {
  it("answers a method without side effects to GET, and a change not", async () => {
    const message = encodeURIComponent(JSON.stringify({ page_size: 1 }));
    const query = `connect=v1&encoding=json&message=${message}`;
    const got = await fetch(`${service.url}/clavis.v1.KeyspaceService/ListKeyspaces?${query}`, {
      headers: credentials,
    });
    expect(got.status).toBe(200);
    expect(got.headers.get("content-type")).toBe("application/json");
    expect(await got.json()).toMatchObject({ keyspaces: [{ id: expect.stringMatching(/^ks_/) }] });
    for (const method of ["KeyspaceService/CreateKeyspace", "KeyService/RevokeKey", "VerifyService/Verify"]) {
      const refused = await fetch(`${service.url}/clavis.v1.${method}?${query}`, { headers: credentials });
      expect(refused.status, method).toBe(405);
    }
  });

  it("is all that a caller needs: JSON in, JSON out, errors with a status and details", async () => {
    const created = await post("clavis.v1.KeyspaceService/CreateKeyspace", { displayName: "curl", prefix: "ab" });
    expect(created.status).toBe(200);
    expect(created.headers.get("clavis-call-id")).toMatch(CALL_ID);
    expect(await created.json()).toMatchObject({
      keyspace: { displayName: "curl", createTime: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    const missing = await post("clavis.v1.KeyService/GetKey", { keyId: missingKeyId });
    expect(missing.status).toBe(404);
    expect(missing.headers.get("clavis-call-id")).toMatch(CALL_ID);
    expect(await missing.json()).toMatchObject({
      code: "not_found",
      details: [{ type: "google.rpc.ErrorInfo", debug: { reason: "KEY_NOT_FOUND" } }],
    });
    const batch = await post("clavis.v1.VerifyService/BatchVerify", { requests: [{ secret: "x" }] });
    expect(await batch.json()).toMatchObject({
      results: [
        {
          error: {
            code: 3,
            details: [
              { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "INVALID_REQUEST" },
              { "@type": "type.googleapis.com/google.rpc.BadRequest" },
            ],
          },
        },
      ],
    });
  });

  it.each([
    "/",
    "/metrics",
    "/healthz",
    "/clavis.v1.KeyService",
    "/clavis.v1.KeyService/",
    "/clavis.v1.KeyService/Nothing",
    "/clavis.v1.Nothing/CreateKey",
    "/x/clavis.v1.KeyService/CreateKey",
  ])("finds nothing at %s", async (path) => {
    for (const method of ["GET", "POST"]) {
      const init = method === "POST" ? { body: "{}" } : {};
      const answer = await fetch(`${service.url}${path}`, { method, headers: credentials, ...init });
      expect(answer.status, method).toBe(404);
    }
  });
});

describe("health", () => {
  const health = createClient(Health, createGrpcTransport({ baseUrl: service.url }));
  const services = ["KeyspaceService", "KeyService", "VerifyService", "SelfService", "TenantService", "AuditService"];

  it("is told of the process and of each service, to anyone", async () => {
    for (const name of ["", ...services.map((one) => `clavis.v1.${one}`)])
      expect((await health.check({ service: name })).status, name).toBe(Status.SERVING);
    await expect(health.check({ service: "clavis.v1.Nothing" })).rejects.toMatchObject({ code: Code.NotFound });
    const { statuses } = await health.list({});
    expect(Object.keys(statuses).toSorted()).toEqual(["", ...services.map((one) => `clavis.v1.${one}`)].toSorted());
    expect(Object.values(statuses).map(({ status }) => status)).toEqual(Array(7).fill(Status.SERVING));
  });

  it("of an unknown service is unknown, and its watch goes on", async () => {
    const leaving = new AbortController();
    const watch = health.watch({ service: "clavis.v1.Nothing" }, { signal: leaving.signal })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
    const next = watch.next();
    await health.check({});
    leaving.abort();
    await expect(next).rejects.toMatchObject({ code: Code.Canceled });
  });

  it("turns when the service is on its way out, for everyone who watches", async () => {
    const leaving = await openTestService();
    const baseUrl = leaving.url;
    const away = new AbortController();
    const watches = [createGrpcTransport({ baseUrl }), createConnectTransport({ baseUrl, httpVersion: "1.1" })].map(
      (transport) => {
        const request = { service: "clavis.v1.KeyService" };
        return createClient(Health, transport).watch(request, { signal: away.signal })[Symbol.asyncIterator]();
      },
    );
    const statuses = async () =>
      (await Promise.all(watches.map((watch) => watch.next()))).map(({ value }) => value?.status);
    expect(await statuses()).toEqual([Status.SERVING, Status.SERVING]);
    const closed = leaving[Symbol.asyncDispose]();
    expect(await statuses()).toEqual([Status.NOT_SERVING, Status.NOT_SERVING]);
    const ends = watches.map((watch) => watch.next());
    away.abort();
    for (const end of ends) await expect(end).rejects.toMatchObject({ code: Code.Canceled });
    await closed;
  });
});

describe("the operations port", () => {
  it("says that the process lives and wants calls, and nothing else", async () => {
    for (const [path, status, text] of [
      ["/healthz", 200, "ok\n"],
      ["/readyz", 200, "ready\n"],
      ["/", 404, "not found\n"],
      ["/clavis.v1.KeyService/ListKeys", 404, "not found\n"],
      ["/toString", 404, "not found\n"],
    ] as const) {
      const answer = await fetch(`${service.operationsUrl}${path}`);
      expect([answer.status, await answer.text()], path).toEqual([status, text]);
    }
  });

  it("counts calls by method and status, verdicts by outcome, and connections", async () => {
    await using measured = await openTestService();
    await using tenant = await openTenantHome(measured);
    const { id: keyspaceId } = await tenant.newKeyspace();
    const { secret } = await tenant.newKey(keyspaceId);
    for (let call = 0; call < 3; call++) await tenant.outcomeOf(secret, keyspaceId);
    await tenant.rpc(VerifyService).batchVerify({
      requests: [
        { secret, keyspaceId },
        { secret: "é", keyspaceId },
      ],
    });
    await expect(tenant.clavis.keys.get(missingKeyId)).rejects.toThrow();

    const answer = await fetch(`${measured.operationsUrl}/metrics`);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    const lines = text.split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        'clavis_rpc_seconds_count{method="clavis.v1.VerifyService/Verify",code="ok"} 3',
        'clavis_rpc_seconds_count{method="clavis.v1.KeyService/GetKey",code="not_found"} 1',
        'clavis_verdicts_total{outcome="valid"} 4',
        'clavis_verdicts_total{outcome="malformed"} 1',
      ]),
    );
    expect(text).toMatch(/^clavis_postgres_connections\{pool="lookups",state="idle"\} \d+$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    for (const hidden of [secret, tenant.token, keyspaceId, tenant.tenantId]) expect(text).not.toContain(hidden);
  });
});

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const init = { method: "POST", headers: { ...credentials, ...headers }, body: JSON.stringify(body) };
  return fetch(`${service.url}/${path}`, init);
}
