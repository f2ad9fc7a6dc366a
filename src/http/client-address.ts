import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { type Cidr, canonicalAddress, cidrContains, parseAddress } from "@clavis/sdk/rules";

/**
 * The address that a request came from: the peer's, or, as long as that is a proxy that we trust, the one that it names last in
 * `x-forwarded-for`. What stands further left anyone may have written. Empty if it cannot be known.
 */
export function createClientAddress(
  trustedProxies: readonly Cidr[],
): (req: IncomingMessage | Http2ServerRequest) => string {
  return (req) => {
    const peer = req.socket.remoteAddress ?? "";
    if (trustedProxies.length === 0) return canonical(peer);
    const header = req.headers["x-forwarded-for"] ?? "";
    const named = (Array.isArray(header) ? header.join(",") : header).split(",").map((text) => text.trim());
    const hops = [...named.filter((text) => text !== ""), peer];
    while (hops.length > 1 && isTrusted(hops.at(-1) ?? "")) hops.pop();
    return canonical(hops.at(-1) ?? "");
  };

  function isTrusted(text: string): boolean {
    const address = parseAddress(text);
    return address !== undefined && trustedProxies.some((proxy) => cidrContains(proxy, address));
  }
}

function canonical(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? "" : canonicalAddress(address);
}
