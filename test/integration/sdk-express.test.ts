import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import express from "express";
import { describe, expect, it } from "vitest";
import {
  type GuardVerdict,
  type RequireApiKeyOptions,
  requireApiKey,
  requirePermission,
} from "../../sdk/express/index.ts";
import { Outcome, type VerifyRequest, VerifyService } from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import { createClavis } from "../../sdk/index.ts";
import { formatSecret } from "../../sdk/rules/index.ts";
import { startFakeService } from "../harness/fake-service.ts";

const keyspaceId = "ks_0123456789abcdefghjkmnpqrs";
const good = formatSecret("acme_live", "a".repeat(43));
const revoked = formatSecret("acme_live", "b".repeat(43));
const misspelt = `${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`;

describe("requireApiKey", () => {
  it("lets a good key pass, with its facts and without its secret", async () => {
    await using app = await startApp();
    const { status, body } = await app.get("/", { authorization: `Bearer ${good}` });
    expect(status).toBe(200);
    expect(body).toMatchObject({ keyId: "key_1", ownerId: "customer-7", permissions: ["documents.*"] });
    expect(JSON.stringify(body)).not.toContain(good);
  });

  it.each<[string, Record<string, string | string[]>, number, string]>([
    ["no key", {}, 401, 'Bearer realm="api"'],
    ["another scheme", { authorization: "Basic abc" }, 401, 'Bearer realm="api"'],
    [
      "two keys",
      { authorization: [`Bearer ${good}`, `Bearer ${good}`] },
      400,
      'Bearer realm="api", error="invalid_request"',
    ],
    [
      "a header that nobody can read",
      { authorization: "Bearer a b" },
      400,
      'Bearer realm="api", error="invalid_request"',
    ],
    ["a misspelt key", { authorization: `Bearer ${misspelt}` }, 401, 'Bearer realm="api", error="invalid_token"'],
  ])("turns %s away by itself", async (_, headers, status, challenge) => {
    await using app = await startApp();
    const response = await app.get("/", headers);
    expect(response).toMatchObject({
      status,
      headers: {
        "www-authenticate": challenge,
        "content-type": "application/problem+json",
        "cache-control": "no-store",
      },
      body: { status },
    });
    expect(app.verified).toEqual([]);
  });

  it("gives one answer to every key that does not hold", async () => {
    await using app = await startApp();
    const answers = [
      await app.get("/", { authorization: `Bearer ${revoked}` }),
      await app.get("/", { authorization: `Bearer ${misspelt}` }),
    ].map(({ status, headers, body }) => ({ status, challenge: headers["www-authenticate"], body }));
    expect(answers[0]?.status).toBe(401);
    expect(answers[1]).toEqual(answers[0]);
    expect(app.verified).toHaveLength(1);
  });

  it("never reads a key from the query string", async () => {
    await using app = await startApp();
    for (const name of ["access_token", "api_key", "authorization"]) {
      expect((await app.get(`/?${name}=${good}`)).status, name).toBe(401);
    }
    expect(app.verified).toEqual([]);
  });

  it("reads another header where it is told to, and that alone", async () => {
    await using app = await startApp({ header: "X-Api-Key" });
    expect((await app.get("/", { "x-api-key": good })).status).toBe(200);
    const refused = await app.get("/", { authorization: `Bearer ${good}` });
    expect(refused).toMatchObject({
      status: 401,
      headers: { "www-authenticate": 'ApiKey realm="api", header="x-api-key"' },
    });
    expect((await app.get("/", { "x-api-key": [good, good] })).status).toBe(400);
  });

  it("believes no forwarded address unasked", async () => {
    await using app = await startApp();
    await app.get("/", { authorization: `Bearer ${good}`, "x-forwarded-for": "192.0.2.1" });
    expect(app.verified).toMatchObject([{ clientIp: "" }]);
  });

  it("passes on the address that it is told to", async () => {
    await using app = await startApp({ clientIp: (req) => req.socket.remoteAddress });
    await app.get("/", { authorization: `Bearer ${good}`, "x-forwarded-for": "192.0.2.1" });
    expect(app.verified).toMatchObject([{ clientIp: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) }]);
  });

  it("answers 503 when it could not be told", async () => {
    const verdicts: GuardVerdict[] = [];
    await using app = await startApp({ onVerdict: (verdict) => verdicts.push(verdict) });
    await app.stopClavis();
    const response = await app.get("/", { authorization: `Bearer ${good}` });
    expect(response).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      body: { title: "Service Unavailable" },
    });
    expect(response.headers).not.toHaveProperty("www-authenticate");
    expect(verdicts).toMatchObject([{ admitted: false, outcome: undefined, error: { reason: "UNREACHABLE" } }]);
  });

  it("gives up asking when the caller has gone", async () => {
    await using app = await startApp({}, { hangs: true });
    const req = httpRequest(app.url, { headers: { authorization: `Bearer ${good}` } }).on("error", () => {});
    req.end();
    await app.arrived;
    req.destroy();
    await app.givenUp;
  });

  it("leaves what its hooks throw to the application", async () => {
    const clientIp = () => {
      throw new Error("no address today");
    };
    await using app = await startApp({ clientIp });
    expect(await app.get("/", { authorization: `Bearer ${good}` })).toMatchObject({
      status: 500,
      body: "no address today",
    });
  });
});

describe("requirePermission", () => {
  it("decides without asking again, however many there are", async () => {
    await using app = await startApp();
    const authorization = `Bearer ${good}`;
    expect((await app.get("/twice", { authorization })).status).toBe(200);
    expect(app.verified).toHaveLength(1);
    expect(await app.get("/billing", { authorization })).toMatchObject({
      status: 403,
      headers: { "www-authenticate": 'Bearer realm="api", error="insufficient_scope", scope="billing.read"' },
      body: { missing_permissions: ["billing.read"] },
    });
    expect(app.verified).toHaveLength(2);
  });

  it("is an error of the application without requireApiKey", async () => {
    await using app = await startApp();
    const response = await app.get("/unguarded", { authorization: `Bearer ${good}` });
    expect(response).toMatchObject({ status: 500, body: expect.stringContaining("put one before it") });
  });
});

/** Longer than a test may take, so that nothing ends by itself. */
const A_MINUTE_MS = 60_000;

/** An application whose keys a fake Clavis verifies: `good` holds, everything else is revoked. */
async function startApp(options: Partial<RequireApiKeyOptions> = {}, { hangs = false } = {}) {
  const resources = new AsyncDisposableStack();
  const verified: VerifyRequest[] = [];
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<void>();
  const service = await startFakeService((router) =>
    router.service(VerifyService, {
      async verify(request, { signal }) {
        verified.push(request);
        arrive();
        if (hangs) {
          if (!signal.aborted) await once(signal, "abort");
          giveUp();
          throw new ConnectError("given up", Code.Canceled);
        }
        const key = { id: "key_1", keyspaceId, ownerId: "customer-7", permissions: ["documents.*"] };
        return { outcome: request.secret === good ? Outcome.VALID : Outcome.REVOKED, key };
      },
    }),
  );
  resources.use(service);
  const clavis = resources.use(
    createClavis({ baseUrl: service.url, token: "clavis_mgmt_1", verifyTimeoutMs: A_MINUTE_MS }),
  );

  const app = express();
  const guard = requireApiKey({ clavis, keyspaceId, ...options });
  const answer: express.RequestHandler = (req, res) => void res.json(req.apiKey);
  app.get("/unguarded", requirePermission("documents.read"), answer);
  app.use(guard);
  app.get("/", answer);
  app.get("/twice", guard, requirePermission("documents.read"), requirePermission("documents.write"), answer);
  app.get("/billing", requirePermission("documents.read", "billing.read"), answer);
  app.use(
    ((error, _req, res, _next) => void res.status(500).json(error.message)) satisfies express.ErrorRequestHandler,
  );
  const server = app.listen(0, "localhost");
  await once(server, "listening");
  resources.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    url,
    verified,
    arrived,
    givenUp,
    stopClavis: () => service[Symbol.asyncDispose](),
    get: (path: string, headers: Record<string, string | string[]> = {}) => get(url + path, headers),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** By Node's own client, since `fetch` joins a header that is given twice. */
async function get(url: string, headers: Record<string, string | string[]>) {
  const req = httpRequest(url, { headers, agent: false }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk);
  return {
    status: res.statusCode,
    headers: res.headers,
    body: JSON.parse(Buffer.concat(chunks).toString()) as unknown,
  };
}
