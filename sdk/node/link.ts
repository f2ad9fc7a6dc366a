import type { Http2Session } from "node:http2";
import { Code, type ConnectError } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Link } from "../client/link.ts";

const MIB = 2 ** 20;

/** More than any answer of the contract: 200 events with 4 KiB of metadata and 200 permissions, before and after. */
const READ_MAX_BYTES = 32 * MIB;

/** What connect-node's transport needs of a session manager. */
type SessionManager = Pick<Http2SessionManager, "authority" | "request" | "notifyResponseByteRead">;

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
  const manager = new Http2SessionManager(baseUrl, { pingIntervalMs, pingTimeoutMs });
  const sessionManager = withHeardErrors(manager);
  return {
    transport: createConnectTransport({ httpVersion: "2", baseUrl, sessionManager, readMaxBytes: READ_MAX_BYTES }),
    isBroken: isBrokenConnection,
    isUnbegun: isRefusedStream,
    close: () => manager.abort(),
  };
}

/**
 * `manager` with a listener to the errors of each session that has had a stream. connect-node 2.2 takes its own away when
 * a call comes between a session's destruction and its error, such as the retry after a missing ping; an error that
 * nobody listens to ends the process. Whom the error concerns hears of it from the stream.
 */
function withHeardErrors(manager: Http2SessionManager): SessionManager {
  const heard = new WeakSet<Http2Session>();
  return {
    authority: manager.authority,
    notifyResponseByteRead: (stream) => manager.notifyResponseByteRead(stream),
    async request(method, path, headers, options) {
      const stream = await manager.request(method, path, headers, options);
      const { session } = stream;
      if (session !== undefined && !heard.has(session)) {
        heard.add(session);
        session.on("error", () => {});
      }
      return stream;
    },
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

/** Whether it was refused (RFC 9113, section 8.7), by the service or on its way out, after the service had said GOAWAY. */
function isRefusedStream({ rawMessage, cause }: ConnectError): boolean {
  const message = cause instanceof Error ? cause.message : rawMessage;
  return message.includes("REFUSED_STREAM");
}
