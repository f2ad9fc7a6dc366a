import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A site of one page on an origin of its own. */
export interface Site extends AsyncDisposable {
  readonly origin: string;
  /** Where the page is whose policy allows it what is on this site, calls to `serviceUrl`, and nothing else. */
  pageFor(serviceUrl: string): string;
}

const PAGE = `<!doctype html><title>Test</title><script type="module" src="/page.js"></script>`;

/** Serves `modules` by their paths, and everywhere else the page, which runs `/page.js`. */
export async function openSite(modules: Readonly<Record<string, string>>): Promise<Site> {
  const server = createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? "/", "http://site");
    const script = modules[pathname];
    res.writeHead(200, {
      "content-type": script === undefined ? "text/html" : "text/javascript",
      "content-security-policy": `default-src 'self'; connect-src ${searchParams.get("service") ?? "'none'"}`,
    });
    res.end(script ?? PAGE);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    pageFor: (serviceUrl) => `${origin}/?service=${encodeURIComponent(serviceUrl)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
