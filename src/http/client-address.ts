import type { IncomingHttpHeaders } from "node:http";
import { type Cidr, canonicalAddress, cidrContains, parseAddress } from "@clavis/sdk/rules";

/** What of a request tells where it came from. */
export interface AddressedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
}

/**
 * The address that a request came from: the peer's, or, as long as that is a proxy that we trust, the one that it names last in
 * `x-forwarded-for`. What stands further left anyone may have written. Empty if it cannot be known.
 */
export function createClientAddress(trustedProxies: readonly Cidr[]): (req: AddressedRequest) => string {
  // A connection's peer stays the same, and is asked for with every call.
  const peers = new WeakMap<object, string>();

  return (req) => {
    if (trustedProxies.length === 0) return peerOf(req);
    const peer = req.socket.remoteAddress ?? "";
    const header = req.headers["x-forwarded-for"] ?? "";
    const named = (Array.isArray(header) ? header.join(",") : header).split(",").map((text) => text.trim());
    const hops = [...named.filter((text) => text !== ""), peer];
    while (hops.length > 1 && isTrusted(hops.at(-1) ?? "")) hops.pop();
    return canonical(hops.at(-1) ?? "");
  };

  function peerOf({ socket }: AddressedRequest): string {
    const known = peers.get(socket);
    if (known !== undefined) return known;
    const peer = canonical(socket.remoteAddress ?? "");
    peers.set(socket, peer);
    return peer;
  }

  function isTrusted(text: string): boolean {
    const address = parseAddress(text);
    return address !== undefined && trustedProxies.some((proxy) => cidrContains(proxy, address));
  }
}

function canonical(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? "" : canonicalAddress(address);
}
