import { createServer as createHttpServer } from "node:http";
import {
  constants,
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { SECOND_MS } from "../time.ts";
import { withLastAnswers } from "./last-answers.ts";
import { createProtocolFront } from "./protocol-front.ts";
import type { RequestHandler } from "./request-handler.ts";
import {
  HEADER_PAIRS_MAX,
  HEADERS_TIMEOUT_MS,
  http1Settings,
  http2Settings,
  type TlsOptions,
  tlsSettings,
} from "./server-settings.ts";
import { putBeforeStreams, type Shortcut, withShortcut } from "./shortcut.ts";

/** One port, open for HTTP/1.1 and HTTP/2. */
export interface Listener {
  /** Without a path: `http://127.0.0.1:8420`. */
  readonly url: string;
  /**
   * Takes no new connections, says goodbye on those that are there (GOAWAY, `connection: close`), lets what is under way
   * finish, and after `graceMs` breaks off the rest.
   */
  close(graceMs: number): Promise<void>;
}

/** Connections at the same time; beyond, new ones are closed at once. */
const CONNECTIONS_MAX = 10_000;

/** Between the word that a connection will close and its close: calls that are on their way meanwhile are still taken. */
const NOTICE_MS = SECOND_MS / 4;

/** In a GOAWAY: no stream is refused yet (RFC 9113, section 6.8). */
const STREAM_ID_MAX = 2 ** 31 - 1;

/** Opens the port. Clear text takes HTTP/2 with prior knowledge, as gRPC speaks it, beside HTTP/1.1; TLS tells them apart by ALPN. */
export async function openListener(options: {
  host: string;
  port: number;
  tls: TlsOptions | undefined;
  handler: RequestHandler;
  shortcut?: Shortcut | undefined;
  /** How long a client may take to say what it wants, up to the end of its headers. */
  headersTimeoutMs?: number;
}): Promise<Listener> {
  const { host, port, tls, shortcut, headersTimeoutMs = HEADERS_TIMEOUT_MS } = options;
  const sessions = new Set<ServerHttp2Session>();
  const { handler, sayLast } = withLastAnswers(withShortcut(options.handler, shortcut));
  const http1 = createHttpServer(http1Settings(headersTimeoutMs), handler);
  const http2: Http2Server | Http2SecureServer =
    tls === undefined
      ? createHttp2Server(http2Settings, handler)
      : createSecureServer({ ...http2Settings, ...tlsSettings(tls, headersTimeoutMs) }, handler);
  const front: NetServer | Http2SecureServer =
    tls === undefined
      ? createProtocolFront(http1, http2 as Http2Server, headersTimeoutMs)
      : (http2 as Http2SecureServer);

  if (shortcut !== undefined) putBeforeStreams(http2, shortcut);
  // It does not listen itself, and only then would it begin to watch its connections' time, and which of them are idle.
  http1.emit("listening");
  front.maxConnections = CONNECTIONS_MAX;
  // Otherwise several processes on one port, when all are full, would pass it round among them for as long as they are.
  Object.assign(front, { dropMaxConnection: true });
  // What comes beyond is passed over; behind TLS the second server takes HTTP/1.1 as well.
  for (const server of [http1, http2]) Object.assign(server, { maxHeadersCount: HEADER_PAIRS_MAX });
  const sockets = new Set<Socket>();
  front.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    // A broken connection is its peer's affair; without a listener it would be ours.
    session.on("error", () => {});
  });

  await new Promise<void>((resolve, reject) => {
    front.once("error", reject);
    front.listen(port, host, resolve);
  });
  const { port: openPort } = front.address() as AddressInfo;
  const name = host.includes(":") ? `[${host}]` : host;

  return {
    url: `${tls === undefined ? "http" : "https"}://${name}:${openPort}`,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => front.close(() => resolve()));
      sayLast();
      for (const session of sessions) if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, STREAM_ID_MAX);
      await delay(NOTICE_MS);
      for (const session of sessions) session.close();
      // Closes the idle ones, and stops watching.
      http1.close();
      // Whoever has connected and not said a word yet would be waited for.
      if (tls === undefined) for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      const breakOff = setTimeout(() => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(breakOff);
    },
  };
}
