import type { ConnectError } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import type { Link } from "../client/link.ts";

/** Calls over `fetch`, whose connections are the browser's own affair. */
export function openWebLink(baseUrl: string): Link {
  return {
    // Binary, because JSON names enum values, and one that only a newer service knows would be lost.
    transport: createConnectTransport({ baseUrl, useBinaryFormat: true }),
    isBroken: isBrokenFetch,
    // Browsers repeat such calls by themselves.
    isUnbegun: () => false,
    close() {},
  };
}

/** `fetch` rejects with a TypeError when there is no response to be had: no network, no CORS, no such host. */
function isBrokenFetch({ metadata, cause }: ConnectError): boolean {
  return metadata.keys().next().done === true && cause instanceof TypeError;
}
