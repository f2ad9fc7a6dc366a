import { Code, type ConnectError } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Link } from "../client/link.ts";

const MIB = 2 ** 20;

/** More than any answer of the contract: 200 events with 4 KiB of metadata and 200 permissions, before and after. */
const READ_MAX_BYTES = 32 * MIB;

/** How a Node client keeps its connection. */
export interface NodeLinkOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/** One HTTP/2 connection, opened by the first call and anew whenever it is gone. An idle one keeps no process alive. */
export function openNodeLink({ baseUrl, pingIntervalMs, pingTimeoutMs }: NodeLinkOptions): Link {
  // Without `pingIdleConnection`: with it, connect-node 2.2 sets a ping's timer again on the last stream of a destroyed
  // session, whose ping then throws outside of any call. An idle connection is tried before its next use instead.
  const sessionManager = new Http2SessionManager(baseUrl, { pingIntervalMs, pingTimeoutMs });
  return {
    transport: createConnectTransport({ httpVersion: "2", baseUrl, sessionManager, readMaxBytes: READ_MAX_BYTES }),
    isBroken: isBrokenConnection,
    close: () => sessionManager.abort(),
  };
}

/**
 * Whether there was no answer because of the connection. Every answer has headers, even an error's; what fails without
 * any failed on this side: a system error, whose `code` is a text (`ECONNREFUSED`), or the end of the stream, of which
 * Connect only keeps a status (a killed server shows as `Canceled`, a refused stream or a missing ping as `Unavailable`).
 */
function isBrokenConnection({ metadata, cause, code }: ConnectError): boolean {
  if (!metadata.keys().next().done) return false;
  if (cause instanceof Error) return "code" in cause && typeof cause.code === "string";
  return [Code.Canceled, Code.Unavailable, Code.Aborted].includes(code);
}
