import { afterAll, describe, expect, it } from "vitest";
import { openTestService } from "../harness/service.ts";

const origin = "https://app.example.com";
const stack = new AsyncDisposableStack();
afterAll(async () => await stack.disposeAsync());
const open = async (origins?: string) =>
  stack.use(await openTestService(origins === undefined ? {} : { env: { CLAVIS_CORS_ORIGINS: origins } }));
const some = await open(`${origin},http://localhost:3000`);
const any = await open("*");
const none = await open();

describe("a page of a configured origin", () => {
  it("may ask with the headers that the protocols need", async () => {
    const answer = await preflight(some.url, origin);
    expect(answer.status).toBe(204);
    const { headers } = answer;
    expect(headers.get("access-control-allow-origin")).toBe(origin);
    expect(listOf(headers.get("access-control-allow-methods"))).toEqual(["get", "post"]);
    expect(listOf(headers.get("access-control-allow-headers"))).toEqual(
      expect.arrayContaining([
        ...["authorization", "content-type", "connect-protocol-version", "connect-timeout-ms"],
        ...["grpc-timeout", "x-grpc-web", "x-user-agent"],
      ]),
    );
    expect(Number(headers.get("access-control-max-age"))).toBeGreaterThan(0);
    expect(listOf(headers.get("vary"))).toContain("origin");
    expect(headers.get("access-control-allow-credentials")).toBeNull();
  });

  it.each([
    ["Connect", "application/json", "{}"],
    ["gRPC-Web", "application/grpc-web+proto", "\0\0\0\0\0"],
  ])("reads answers over %s, the call's id and how it ended, good or bad", async (_, contentType, body) => {
    for (const path of ["grpc.health.v1.Health/Check", "clavis.v1.KeyService/ListKeys"]) {
      const answer = await ask(some.url, path, { origin, "content-type": contentType }, body);
      const { headers } = answer;
      expect(headers.get("access-control-allow-origin"), path).toBe(origin);
      expect(listOf(headers.get("access-control-expose-headers")), path).toEqual(
        expect.arrayContaining(["clavis-call-id", "grpc-status", "grpc-message", "grpc-status-details-bin"]),
      );
      expect(listOf(headers.get("vary")), path).toContain("origin");
      // gRPC-Web ends the body with what gRPC says in trailers.
      expect(headers.get("clavis-call-id") ?? (await answer.text()), path).toMatch(/[0-9a-f]{8}(-[0-9a-f]{4}){3}/);
    }
  });

  it("is one of several", async () => {
    const answer = await preflight(some.url, "http://localhost:3000");
    expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
  });

  it("is any, if the service says so", async () => {
    const answer = await preflight(any.url, "https://elsewhere.example");
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toMatch(/^(\*|https:\/\/elsewhere\.example)$/);
  });
});

describe("a page of another origin", () => {
  it.each([
    ["another host", some, "https://evil.example"],
    ["a host that ends alike", some, "https://app.example.com.evil.example"],
    ["another scheme", some, "http://app.example.com"],
    ["another port", some, "https://app.example.com:8443"],
    ["no origin at all", some, "null"],
    ["a service without origins", none, origin],
  ])("gets no leave: %s", async (_, { url }, stranger) => {
    const asked = await preflight(url, stranger);
    const answered = await ask(url, "grpc.health.v1.Health/Check", { origin: stranger }, "{}");
    for (const { headers } of [asked, answered]) {
      const cors = [...headers.keys()].filter((name) => name.startsWith("access-control-"));
      expect(cors).toEqual([]);
    }
    expect(asked.ok).toBe(false);
  });
});

describe("a caller that is no page", () => {
  it("is answered as ever", async () => {
    for (const { url } of [some, any, none]) {
      const answer = await ask(url, "grpc.health.v1.Health/Check", {}, "{}");
      expect([answer.status, await answer.json()]).toEqual([200, { status: "SERVING" }]);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

function preflight(url: string, from: string): Promise<Response> {
  return fetch(`${url}/clavis.v1.KeyService/ListKeys`, {
    method: "OPTIONS",
    headers: {
      origin: from,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,connect-protocol-version",
    },
  });
}

function ask(url: string, path: string, headers: Record<string, string>, body: string): Promise<Response> {
  return fetch(`${url}/${path}`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
}

function listOf(header: string | null): string[] {
  return (header ?? "").split(",").map((name) => name.trim().toLowerCase());
}
