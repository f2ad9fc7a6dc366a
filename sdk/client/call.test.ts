import { getEventListeners } from "node:events";
import { inspect } from "node:util";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  createScriptedLink,
  noConnection,
  type ScriptedLink,
  type Step,
  serviceError,
  silence,
} from "../../test/harness/scripted-link.ts";
import { createVirtualRuntime } from "../../test/harness/virtual-runtime.ts";
import { ClavisError } from "../errors/clavis-error.ts";
import { type Clavis, createClavisOver } from "./clavis.ts";
import { type ClavisOptions, readOptions } from "./options.ts";

const token = "clavis_mgmt_0123456789";
const secret = "a-foreign-secret-of-some-length";
const keyspaceId = "ks_0123456789abcdefghjkmnpqrs";
const key = { id: "key_1" };

describe("a call", () => {
  it("carries the token and gives back the answer", async () => {
    const { link, clavis } = aClient([{ key }]);
    expect((await clavis.keys.get("key_1")).key.id).toBe("key_1");
    expect(link.sent).toMatchObject([
      { method: "GetKey", authorization: `Bearer ${token}`, request: { keyId: "key_1" } },
    ]);
  });

  it("asks the token function anew for each attempt", async () => {
    const tokens = ["first", "second"];
    const { link, clavis, run } = aClient([noConnection(), { key }], { token: async () => tokens.shift() ?? "none" });
    await run(clavis.keys.get("key_1"));
    expect(link.sent.map(({ authorization }) => authorization)).toEqual(["Bearer first", "Bearer second"]);
  });

  it.each([
    ["throws", () => Promise.reject(new RangeError(`no ${token}`)), /RangeError/],
    ["gives nothing", () => "", /no token/],
    ["gives what no header can carry", () => `${token}\n`, /no token/],
  ])("fails without a request when the token function %s", async (_, badToken, message) => {
    const { link, clavis } = aClient([{ key }], { token: badToken });
    const error = await failureOf(clavis.keys.get("key_1"));
    expect(error).toMatchObject({ reason: "TOKEN_UNAVAILABLE", message: expect.stringMatching(message) });
    expect(everythingAbout(error)).not.toContain(token);
    expect(link.sent).toEqual([]);
  });

  it("fails if the service leaves out what the contract promises", async () => {
    const { clavis } = aClient([{}]);
    expect(await failureOf(clavis.keys.get("key_1"))).toMatchObject({ reason: "UNKNOWN", code: "INTERNAL" });
  });
});

describe("an ended call", () => {
  it("leaves no timer behind", async () => {
    const runtime = createVirtualRuntime();
    const { clavis } = aClient([{ key }, serviceError(Code.NotFound, "KEY_NOT_FOUND")], {}, runtime);
    await clavis.keys.get("key_1");
    await failureOf(clavis.keys.get("key_1"));
    expect(runtime.pendingCount()).toBe(0);
  });

  it("lets go of the caller's signal", async () => {
    const { signal } = new AbortController();
    const { clavis } = aClient([{ key }]);
    await clavis.keys.get("key_1", { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("a failed attempt", () => {
  it("is made again when there was no connection", async () => {
    const { link, clavis, run } = aClient([noConnection(), noConnection(), { key }]);
    await run(clavis.keys.get("key_1"));
    expect(link.sent).toHaveLength(3);
  });

  it("is made three times at most by default", async () => {
    const { link, clavis, run } = aClient([noConnection(), noConnection(), noConnection(), { key }]);
    expect(await failureOf(run(clavis.keys.get("key_1")))).toMatchObject({ reason: "UNREACHABLE", retryable: true });
    expect(link.sent).toHaveLength(3);
  });

  it("is made as often as attemptsMax says", async () => {
    const { link, clavis } = aClient([noConnection(), { key }], { attemptsMax: 1 });
    expect(await failureOf(clavis.keys.get("key_1"))).toMatchObject({ reason: "UNREACHABLE" });
    expect(link.sent).toHaveLength(1);
  });

  it("repeats its request id, so that the change is made once", async () => {
    const { link, clavis, run } = aClient([
      noConnection(),
      serviceError(Code.Unavailable, "STORE_UNAVAILABLE"),
      { key },
    ]);
    await run(clavis.keys.create({ keyspaceId, displayName: "billing" }));
    const ids = link.sent.map(({ request }) => Reflect.get(request, "requestId"));
    expect(ids).toEqual(Array(3).fill("00000000-0000-4000-8000-000000000001"));
  });

  it("has another request id in another call, and the caller's own where given", async () => {
    const { link, clavis } = aClient([{ key }, { key }, { key }]);
    await clavis.keys.create({ keyspaceId, displayName: "one" });
    await clavis.keys.create({ keyspaceId, displayName: "two" });
    await clavis.keys.create({ keyspaceId, displayName: "three", requestId: "11111111-1111-4111-8111-111111111111" });
    const ids = link.sent.map(({ request }) => Reflect.get(request, "requestId"));
    expect(new Set(ids).size).toBe(3);
    expect(ids[2]).toBe("11111111-1111-4111-8111-111111111111");
  });

  it("waits at least as long as the service asks", async () => {
    const busy = serviceError(Code.Unavailable, "STORE_UNAVAILABLE", { retryAfterMs: 1500 });
    const { clavis, run, waited } = aClient([busy, { key }]);
    await run(clavis.keys.get("key_1"));
    expect(waited).toEqual([1525]);
  });

  it.each([
    ["somebody else was faster", serviceError(Code.Aborted, "ETAG_MISMATCH")],
    ["the service says no", serviceError(Code.NotFound, "KEY_NOT_FOUND")],
    ["the service ran out of time", serviceError(Code.DeadlineExceeded, "TOO_SLOW")],
    ["the service is broken", serviceError(Code.Internal, "BUG")],
  ])("is not made again when %s", async (_, error) => {
    const { link, clavis, run } = aClient([error, { key }]);
    expect(await failureOf(run(clavis.keys.get("key_1")))).toBeInstanceOf(ClavisError);
    expect(link.sent).toHaveLength(1);
  });

  it("is not made again, but left to the caller, where the service wants to be asked less", async () => {
    const flooded = serviceError(Code.ResourceExhausted, "TOO_MANY_UNKNOWN_SECRETS", { retryAfterMs: 1000 });
    const { link, clavis } = aClient([flooded]);
    const error = await failureOf(clavis.verify({ secret, keyspaceId }));
    expect(error).toMatchObject({ reason: "TOO_MANY_UNKNOWN_SECRETS", retryAfterMs: 1000, retryable: true });
    expect(link.sent).toHaveLength(1);
  });

  it("is not made again once half of many calls fail, until calls succeed", async () => {
    const down = Array<Step>(5 + 4).fill(noConnection());
    const { link, clavis, run } = aClient([...down, ...Array<Step>(60).fill({ key }), noConnection(), { key }]);
    await failureOf(run(clavis.keys.get("key_1")));
    await failureOf(run(clavis.keys.get("key_1")));
    expect(link.sent).toHaveLength(5);
    for (let call = 0; call < 4; call++) await failureOf(run(clavis.keys.get("key_1")));
    expect(link.sent).toHaveLength(9);
    for (let call = 0; call < 60; call++) await clavis.keys.get("key_1");
    await run(clavis.keys.get("key_1"));
    expect(link.sent).toHaveLength(71);
  });
});

describe("the deadline", () => {
  it("is 10 s for management and 2 s for verify, and the service is told", async () => {
    const { link, clavis, run } = aClient([silence, silence]);
    const verify = await failureOf(run(clavis.verify({ secret, keyspaceId })));
    expect(verify).toMatchObject({ reason: "DEADLINE_EXCEEDED", retryable: true, message: "no answer within 2000 ms" });
    const get = await failureOf(run(clavis.keys.get("key_1")));
    expect(get).toMatchObject({ reason: "DEADLINE_EXCEEDED", message: "no answer within 10000 ms" });
    expect(link.sent.map(({ timeoutMs }) => timeoutMs)).toEqual([2_000, 10_000]);
  });

  it("spans all attempts", async () => {
    const { link, clavis, run } = aClient([noConnection(), silence], { timeoutMs: 100 });
    expect(await failureOf(run(clavis.keys.get("key_1")))).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    expect(link.sent.map(({ timeoutMs }) => timeoutMs)).toEqual([100, 75]);
  });

  it("is not waited for when the next attempt would come after it", async () => {
    const busy = serviceError(Code.Unavailable, "STORE_UNAVAILABLE", { retryAfterMs: 60_000 });
    const { clavis, run, waited } = aClient([busy, { key }]);
    const error = await failureOf(run(clavis.keys.get("key_1")));
    expect(error).toMatchObject({ reason: "STORE_UNAVAILABLE", retryAfterMs: 60_000 });
    expect(waited).toEqual([]);
  });

  it("leaves the service the time that a change may take to hold everywhere", async () => {
    const { link, clavis } = aClient([{ key, effectiveTime: {} }]);
    await clavis.keys.revoke("key_1", { maxWait: { seconds: 60 } });
    expect(link.sent[0]?.timeoutMs).toBe(70_000);
  });

  it("is what the call says, if it says", async () => {
    const { link, clavis } = aClient([{ key, effectiveTime: {} }]);
    await clavis.keys.revoke("key_1", { maxWait: { seconds: 60 }, timeoutMs: 5_000 });
    expect(link.sent[0]?.timeoutMs).toBe(5_000);
  });

  it("ends a token function that does not come back", async () => {
    const { clavis, run } = aClient([], { token: () => new Promise(() => {}) });
    expect(await failureOf(run(clavis.keys.get("key_1")))).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });
});

describe("a canceled call", () => {
  it("never starts if it was canceled before", async () => {
    const { link, clavis } = aClient([{ key }]);
    const error = await failureOf(clavis.keys.get("key_1", { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ reason: "CANCELED", retryable: false });
    expect(link.sent).toEqual([]);
  });

  it("ends while it waits for the answer", async () => {
    const controller = new AbortController();
    const cancel: Step = (call) => {
      controller.abort();
      return silence(call);
    };
    const { link, clavis } = aClient([cancel]);
    expect(await failureOf(clavis.keys.get("key_1", { signal: controller.signal }))).toMatchObject({
      reason: "CANCELED",
    });
    expect(link.sent[0]?.signal?.aborted).toBe(true);
  });

  it("ends while it waits for the next attempt", async () => {
    const controller = new AbortController();
    const runtime = createVirtualRuntime();
    const { link, clavis } = aClient([noConnection(), { key }], {}, { ...runtime, wait: waitThenCancel });
    function waitThenCancel(ms: number, signal: AbortSignal): Promise<void> {
      if (ms < 100) queueMicrotask(() => controller.abort());
      return runtime.wait(ms, signal);
    }
    expect(await failureOf(clavis.keys.get("key_1", { signal: controller.signal }))).toMatchObject({
      reason: "CANCELED",
    });
    expect(link.sent).toHaveLength(1);
  });
});

describe("a closed client", () => {
  it("ends the calls under way and refuses later ones", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const hang: Step = (call) => {
      start();
      return silence(call);
    };
    const { link, clavis } = aClient([hang, { key }]);
    const underWay = failureOf(clavis.keys.get("key_1"));
    await started;
    await clavis.close();
    expect(await underWay).toMatchObject({ reason: "CLIENT_CLOSED" });
    expect(await failureOf(clavis.keys.get("key_1"))).toMatchObject({ reason: "CLIENT_CLOSED" });
    expect(link.closed).toBe(true);
    expect(link.sent).toHaveLength(1);
  });
});

describe("an error", () => {
  it("says what the service said", async () => {
    const refused = serviceError(Code.NotFound, "KEY_NOT_FOUND", {
      message: "no such key",
      metadata: { key_id: "key_1" },
    });
    const { clavis } = aClient([refused]);
    expect(await failureOf(clavis.keys.get("key_1"))).toMatchObject({
      reason: "KEY_NOT_FOUND",
      code: "NOT_FOUND",
      message: "no such key",
      facts: { key_id: "key_1" },
      callId: "call_1",
      retryable: false,
    });
  });

  it("holds neither token nor secret nor request id, even if they come back", async () => {
    const requestId = "11111111-1111-4111-8111-111111111111";
    const echo: Step = ({ authorization }) => {
      const message = `${authorization} ${secret} ${requestId}`;
      throw serviceError(Code.Internal, "ECHO", { message, metadata: { echo: message } });
    };
    const { clavis } = aClient([echo, echo, echo]);
    const errors = [
      await failureOf(clavis.verify({ secret, keyspaceId })),
      await failureOf(clavis.batchVerify([{ secret, keyspaceId }])),
      await failureOf(clavis.keys.create({ keyspaceId, displayName: "x", requestId })),
    ];
    expect(errors.map(({ reason }) => reason)).toEqual(["ECHO", "ECHO", "ECHO"]);
    expect(everythingAbout(errors[0])).not.toContain(secret);
    expect(everythingAbout(errors[1])).not.toContain(secret);
    expect(everythingAbout(errors[2])).not.toContain(requestId);
    for (const error of errors) expect(everythingAbout(error)).not.toContain(token);
  });
});

function aClient(
  script: Step[],
  options: Partial<ClavisOptions> = {},
  runtime = createVirtualRuntime(),
): { link: ScriptedLink; clavis: Clavis; run: <T>(work: Promise<T>) => Promise<T>; waited: number[] } {
  const link = createScriptedLink(...script);
  const { config, problems } = readOptions({ baseUrl: "http://localhost", token, ...options });
  expect(problems).toEqual([]);
  return { link, clavis: createClavisOver(link, config, runtime), run: runtime.run, waited: runtime.waited };
}

async function failureOf(call: Promise<unknown>): Promise<ClavisError> {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof ClavisError)) throw new Error("expected a ClavisError", { cause: thrown });
  return thrown;
}

/** Whatever a log could show of `error`. */
function everythingAbout(error: unknown): string {
  return inspect(error, { depth: Infinity, showHidden: true }) + JSON.stringify(error) + String(error);
}
