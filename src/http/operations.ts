import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Metrics } from "../metrics.ts";

/** What operators' machinery asks over plain HTTP, on a port of its own. */
export interface Operations extends AsyncDisposable {
  readonly url: string;
}

interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: Pick<Metrics, "expose">;
  readonly ready: () => boolean;
}

/** `/healthz`: the process lives. `/readyz`: it wants calls. `/metrics`: Prometheus's text format. */
export async function openOperations({ host, port, metrics, ready }: OperationsOptions): Promise<Operations> {
  const answers: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
    "/healthz": (res) => answer(res, 200, "ok\n"),
    "/readyz": (res) => (ready() ? answer(res, 200, "ready\n") : answer(res, 503, "not ready\n")),
    "/metrics": async (res) => {
      const { contentType, text } = await metrics.expose();
      res.setHeader("content-type", contentType);
      answer(res, 200, text);
    },
  };
  const server = createServer((req, res) => {
    // Not by way of URL, which throws on what anyone may send, such as `//`.
    const path = (req.url ?? "").split("?", 1)[0] ?? "";
    const found = Object.hasOwn(answers, path) ? answers[path] : undefined;
    void (found === undefined ? answer(res, 404, "not found\n") : found(res));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const { port: openPort } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${openPort}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(res: ServerResponse, status: number, text: string): void {
  res.statusCode = status;
  res.end(text);
}
