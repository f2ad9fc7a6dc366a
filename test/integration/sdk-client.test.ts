import { once } from "node:events";
import { constants } from "node:http2";
import { Code, ConnectError, type ConnectRouter, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { createClavis, type NodeClavisOptions } from "../../sdk/index.ts";
import { createClavis as createWebClavis } from "../../sdk/web/index.ts";
import { startFakeHttp1Service, startFakeService, startWire } from "../harness/fake-service.ts";
import { serviceError } from "../harness/scripted-link.ts";

const token = "clavis_mgmt_0123456789";
const keyspaceId = "ks_0123456789abcdefghjkmnpqrs";

describe("the client in Node", () => {
  it("speaks Connect over HTTP/2, with token and deadline", async () => {
    const seen: Headers[] = [];
    await using service = await startFakeService(
      routes({
        getKey: ({ keyId }, ctx) => {
          seen.push(ctx.requestHeader);
          return { key: { id: keyId } };
        },
      }),
    );
    await using clavis = aClient(service.url);
    expect((await clavis.keys.get("key_1")).key.id).toBe("key_1");
    expect(seen[0]?.get("authorization")).toBe(`Bearer ${token}`);
    expect(Number(seen[0]?.get("connect-timeout-ms"))).toBeGreaterThan(0);
    expect(service.sessions.size).toBe(1);
  });

  it("makes each of many calls again that a closing connection refused at once", async () => {
    await using service = await startFakeService(routes({ getKey: ({ keyId }) => ({ key: { id: keyId } }) }));
    await using clavis = aClient(service.url);
    for (let refused = 0; refused < 20; refused++) {
      service.interceptNext((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    }
    const ids = Array.from({ length: 20 }, (_, index) => `key_${index}`);
    const answers = await Promise.all(ids.map((id) => clavis.keys.get(id)));
    expect(answers.map(({ key }) => key.id)).toEqual(ids);
  });

  it("keeps a base URL's path", async () => {
    await using service = await startFakeService(routes({ getKey: () => ({ key: {} }) }), "/clavis");
    await using clavis = aClient(`${service.url}/clavis/`);
    expect(await clavis.keys.get("key_1")).toMatchObject({ key: {} });
  });

  it("tells an error's reason, facts and call id", async () => {
    await using service = await startFakeService(
      routes({
        getKey() {
          throw serviceError(Code.NotFound, "KEY_NOT_FOUND", { message: "no such key", metadata: { key_id: "key_1" } });
        },
      }),
    );
    await using clavis = aClient(service.url);
    await expect(clavis.keys.get("key_1")).rejects.toMatchObject({
      reason: "KEY_NOT_FOUND",
      code: "NOT_FOUND",
      message: "no such key",
      facts: { key_id: "key_1" },
      callId: "call_1",
    });
  });

  it("waits for a service that is there but not available", async () => {
    let calls = 0;
    await using service = await startFakeService(
      routes({
        getKey() {
          if (++calls === 2) return { key: { id: "key_1" } };
          throw serviceError(Code.Unavailable, "STORE_UNAVAILABLE", { retryAfterMs: 1 });
        },
      }),
    );
    await using clavis = aClient(service.url);
    expect((await clavis.keys.get("key_1")).key.id).toBe("key_1");
    const answer = clavis.keys.get("key_1");
    await expect(answer).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE", retryAfterMs: 1, callId: "call_1" });
    expect(calls).toBe(5);
  });

  it("makes a change again with the same id when the connection breaks under it", async () => {
    const ids: string[] = [];
    await using service = await startFakeService(
      routes({
        createKey({ requestId }) {
          ids.push(requestId);
          if (ids.length === 1) for (const session of service.sessions) session.destroy();
          return { key: { id: "key_1" }, secret: "s" };
        },
      }),
    );
    await using clavis = aClient(service.url);
    expect((await clavis.keys.create({ keyspaceId, displayName: "billing" })).secret).toBe("s");
    expect(ids).toHaveLength(2);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids[1]).toBe(ids[0]);
  });

  it.each([
    ["refused", constants.NGHTTP2_REFUSED_STREAM],
    ["canceled by the server", constants.NGHTTP2_CANCEL],
  ])("tries again when the stream is %s", async (_, code) => {
    await using service = await startFakeService(routes({ getKey: () => ({ key: { id: "key_1" } }) }));
    await using clavis = aClient(service.url);
    let intercepted = 0;
    service.interceptNext((stream) => {
      intercepted++;
      stream.close(code);
    });
    expect((await clavis.keys.get("key_1")).key.id).toBe("key_1");
    expect(intercepted).toBe(1);
  });

  it("says UNREACHABLE when nobody listens", async () => {
    const service = await startFakeService(() => {});
    await service[Symbol.asyncDispose]();
    await using clavis = aClient(service.url);
    await expect(clavis.keys.get("key_1")).rejects.toMatchObject({
      reason: "UNREACHABLE",
      code: "UNAVAILABLE",
      message: expect.stringContaining("ECONNREFUSED"),
      retryable: true,
    });
  });

  it("notices a frozen peer by its silence and goes on with another connection", async () => {
    await using frozen = await aFrozenCall();
    expect((await frozen.call).key.id).toBe("key_1");
    expect(frozen.calls()).toBe(2);
  });

  it("outlives a call that comes as soon as a connection is found dead", async () => {
    await using frozen = await aFrozenCall({ attemptsMax: 1 });
    await expect(frozen.call).rejects.toMatchObject({ reason: "UNREACHABLE" });
    expect((await frozen.clavis.keys.get("key_1")).key.id).toBe("key_1");
    // Long enough for whatever the dead connection has left behind to throw, outside of any call.
    const later = frozen.clavis.keys.get("key_1", { timeoutMs: 3 * PING_MS });
    await expect(later).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });

  it("does not wait for a frozen peer beyond the deadline", async () => {
    await using service = await startFakeService(routes({ getKey: (_, ctx) => untilAborted(ctx) }));
    await using clavis = aClient(service.url);
    await expect(clavis.keys.get("key_1", { timeoutMs: 20 })).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });

  it("tells the service when the caller cancels", async () => {
    const controller = new AbortController();
    const { promise: aborted, resolve: onAborted } = Promise.withResolvers<void>();
    await using service = await startFakeService(
      routes({
        async getKey(_, ctx) {
          controller.abort();
          return untilAborted(ctx).finally(onAborted);
        },
      }),
    );
    await using clavis = aClient(service.url);
    const call = clavis.keys.get("key_1", { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ reason: "CANCELED" });
    await aborted;
  });

  it("ends its connection when closed", async () => {
    await using service = await startFakeService(routes({ getKey: () => ({ key: {} }) }));
    const clavis = aClient(service.url);
    await clavis.keys.get("key_1");
    const [session] = service.sessions;
    if (session === undefined) throw new Error("there was no connection");
    // Not by `once`, which would take the code that the client ends with for an error.
    const ended = new Promise((resolve) => session.on("close", resolve));
    await clavis.close();
    await ended;
    await expect(clavis.keys.get("key_1")).rejects.toMatchObject({ reason: "CLIENT_CLOSED" });
    expect(service.sessions.size).toBe(0);
  });
});

describe("the client for browsers", () => {
  it("calls over fetch, in binary, and tells errors as the other does", async () => {
    const contentTypes: (string | null)[] = [];
    await using service = await startFakeHttp1Service(
      routes({
        getKey({ keyId }, { requestHeader }) {
          contentTypes.push(requestHeader.get("content-type"));
          if (keyId === "key_1") return { key: { id: keyId } };
          throw serviceError(Code.NotFound, "KEY_NOT_FOUND");
        },
      }),
    );
    await using clavis = createWebClavis({ baseUrl: service.url, token });
    expect((await clavis.keys.get("key_1")).key.id).toBe("key_1");
    await expect(clavis.keys.get("key_2")).rejects.toMatchObject({ reason: "KEY_NOT_FOUND", callId: "call_1" });
    expect(contentTypes).toEqual(["application/proto", "application/proto"]);
  });

  it("says UNREACHABLE when nobody listens", async () => {
    const service = await startFakeHttp1Service(() => {});
    await service[Symbol.asyncDispose]();
    await using clavis = createWebClavis({ baseUrl: service.url, token });
    await expect(clavis.keys.get("key_1")).rejects.toMatchObject({ reason: "UNREACHABLE" });
  });

  it("ends at the deadline, and when it is closed", async () => {
    const { promise: called, resolve: onCall } = Promise.withResolvers<void>();
    await using service = await startFakeHttp1Service(
      routes({
        getKey: (_, ctx) => untilAborted(ctx),
        listKeys(_, ctx) {
          onCall();
          return untilAborted(ctx);
        },
      }),
    );
    const clavis = createWebClavis({ baseUrl: service.url, token });
    await expect(clavis.keys.get("key_1", { timeoutMs: 20 })).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    const list = expect(clavis.keys.list().page()).rejects.toMatchObject({ reason: "CLIENT_CLOSED" });
    await called;
    await clavis.close();
    await list;
  });
});

function routes(handlers: Partial<ServiceImpl<typeof KeyService>>): (router: ConnectRouter) => void {
  return (router) => router.service(KeyService, handlers);
}

function aClient(baseUrl: string, options: Partial<NodeClavisOptions> = {}) {
  return createClavis({ baseUrl, token, ...options });
}

const PING_MS = 30;

/** A call whose connection has frozen while it waited; the second one is answered, and no other. */
async function aFrozenCall(options: Partial<NodeClavisOptions> = {}) {
  const resources = new AsyncDisposableStack();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  let calls = 0;
  const service = await startFakeService(
    routes({
      getKey(_, ctx) {
        arrive();
        return ++calls === 2 ? { key: { id: "key_1" } } : untilAborted(ctx);
      },
    }),
  );
  resources.use(service);
  const wire = resources.use(await startWire(service.port));
  const clavis = resources.use(aClient(wire.url, { pingIntervalMs: PING_MS, pingTimeoutMs: PING_MS, ...options }));
  const call = clavis.keys.get("key_1");
  await arrived;
  wire.freeze();
  return { clavis, call, calls: () => calls, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Never answers; ends when the caller gives up. */
async function untilAborted({ signal }: HandlerContext): Promise<never> {
  if (!signal.aborted) await once(signal, "abort");
  throw new ConnectError("given up", Code.Canceled);
}
