import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { type ConnectionOptions, connect } from "node:tls";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { createCertificate, type TestCertificate } from "../harness/certificate.ts";
import { runCommand } from "../harness/clavis-command.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";

const authority = createCertificate("Test authority");
const server = authority.issue("localhost");
const customer = authority.issue("A customer");
const stranger = createCertificate("Another authority").issue("A stranger");

type Credentials = Partial<Pick<TestCertificate, "cert" | "key">>;

const ways: [string, (baseUrl: string, tls: Credentials) => Transport][] = [
  ["gRPC over HTTP/2", (baseUrl, tls) => createGrpcTransport({ baseUrl, nodeOptions: trusting(tls) })],
  [
    "Connect over HTTP/2",
    (baseUrl, tls) => createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions: trusting(tls) }),
  ],
  [
    "Connect over HTTP/1.1",
    (baseUrl, tls) => createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: trusting(tls) }),
  ],
  [
    "gRPC-Web over HTTP/1.1",
    (baseUrl, tls) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1", nodeOptions: trusting(tls) }),
  ],
];

describe("with a certificate", () => {
  it("speaks every protocol on one port, each over the version of HTTP that ALPN agreed on", async () => {
    await using service = await openTlsService();
    expect(service.url).toMatch(/^https:/);
    const answers = await Promise.all(ways.map(([, open]) => check(open(service.url, {}))));
    expect(answers).toEqual(ways.map(() => Status.SERVING));
    expect(await agreedProtocol(service, { ALPNProtocols: ["h2", "http/1.1"] })).toBe("h2");
    expect(await agreedProtocol(service, { ALPNProtocols: ["http/1.1", "h2"] })).toBe("h2");
    expect(await agreedProtocol(service, { ALPNProtocols: ["http/1.1"] })).toBe("http/1.1");
    expect(await agreedProtocol(service, {})).toBe(false);
    expect(await postWithoutAlpn(service)).toEqual([200, { status: "SERVING" }]);
  });

  it("speaks TLS 1.2 and 1.3, and nothing older", async () => {
    await using service = await openTlsService();
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const options = { minVersion: version, maxVersion: version, ALPNProtocols: ["h2"] };
      expect(await agreedProtocol(service, options)).toBe("h2");
    }
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await expect(agreedProtocol(service, old)).rejects.toThrow();
  });

  it("has nothing for those who speak in clear text", async () => {
    await using service = await openTlsService();
    await expect(fetch(httpOf(service.url))).rejects.toThrow();
    const [, open] = ways[0] ?? [];
    expect(await (open ? check(open(service.url, {})) : undefined)).toBe(Status.SERVING);
  });
});

describe("a command that has http and https mixed up", () => {
  it("says which of them to try", async () => {
    await using service = await openTlsService();
    const clear = await runCommand(["keys", "list"], { CLAVIS_KEY: "a-token", CLAVIS_URL: httpOf(service.url) });
    expect(clear).toMatchObject({ code: 1, stderr: expect.stringContaining(`is ${service.url}.`) });

    await using other = await openTestService();
    const tls = await runCommand(["keys", "list"], { CLAVIS_KEY: "a-token", CLAVIS_URL: httpsOf(other.url) });
    expect(tls).toMatchObject({ code: 1, stderr: expect.stringContaining(`is ${other.url}.`) });
  });
});

describe("with an authority for clients", () => {
  it.each(ways)("takes %s from who shows a certificate of it, and from nobody else", async (_, open) => {
    await using service = await openTlsService({ mutual: true });
    expect(await check(open(service.url, customer))).toBe(Status.SERVING);
    await expect(check(open(service.url, {}))).rejects.toThrow();
    await expect(check(open(service.url, stranger))).rejects.toThrow();
    // Its own certificate is of the authority too, but a key must go with it.
    await expect(check(open(service.url, { cert: customer.cert, key: stranger.key }))).rejects.toThrow();
    expect(await check(open(service.url, customer))).toBe(Status.SERVING);
  });
});

function httpOf(url: string): string {
  return url.replace("https:", "http:");
}

function httpsOf(url: string): string {
  return url.replace("http:", "https:");
}

interface TlsService extends AsyncDisposable {
  readonly url: string;
}

async function openTlsService({ mutual = false } = {}): Promise<TlsService> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await openTemporaryFolder());
  const put = async (name: string, text: string) => {
    await writeFile(join(path, name), text, { mode: 0o600 });
    return join(path, name);
  };
  const env: Record<string, string> = {
    CLAVIS_TLS_CERT_FILE: await put("cert.pem", server.cert),
    CLAVIS_TLS_KEY_FILE: await put("key.pem", server.key),
  };
  if (mutual) env.CLAVIS_TLS_CLIENT_CA_FILE = await put("ca.pem", authority.cert);
  const service: TestService = stack.use(await openTestService({ env }));
  const kept = stack.move();
  return { url: service.url, [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}

async function check(transport: Transport): Promise<Status> {
  return (await createClient(Health, transport).check({}, { timeoutMs: 5000 })).status;
}

function trusting({ cert, key }: Credentials) {
  return { ca: authority.cert, ...(cert !== undefined && key !== undefined ? { cert, key } : {}) };
}

async function agreedProtocol(service: TlsService, options: ConnectionOptions): Promise<string | false | null> {
  const { hostname: host, port } = new URL(service.url);
  const socket = connect({ host, port: Number(port), ca: authority.cert, ...options });
  try {
    await once(socket, "secureConnect");
    return socket.alpnProtocol;
  } finally {
    socket.destroy();
  }
}

async function postWithoutAlpn({ url }: TlsService): Promise<[number | undefined, unknown]> {
  const req = request(`${url}/grpc.health.v1.Health/Check`, {
    method: "POST",
    agent: new Agent({ ca: authority.cert, ALPNProtocols: [] }),
    headers: { "content-type": "application/json" },
  });
  req.end("{}");
  const [res] = await once(req, "response");
  const chunks: Buffer[] = await res.toArray();
  return [res.statusCode, JSON.parse(Buffer.concat(chunks).toString())];
}
