import { createServer as createHttpServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import {
  constants,
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { SECOND_MS } from "../time.ts";

/** `body` stands in for what `req` would have given, if somebody has read of it already. */
export type RequestHandler = (
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse | Http2ServerResponse,
  body?: AsyncIterable<Uint8Array>,
) => void;

/** Is asked before the handler, and answers what it takes. */
export interface Shortcut {
  /** Whether it has taken the stream. What it does not take it leaves untouched. */
  onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
  /** The same over HTTP/1.1. */
  onRequest(req: IncomingMessage, res: ServerResponse): boolean;
}

/** PEM texts. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  /** Clients must show a certificate of this authority. */
  readonly clientCa: string | undefined;
}

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

const KIB = 1024;

const HEADER_BYTES_MAX = 16 * KIB;
const HEADER_PAIRS_MAX = 64;
const STREAMS_MAX = 256;
const HEADERS_TIMEOUT_MS = 10 * SECOND_MS;
const REQUEST_TIMEOUT_MS = 60 * SECOND_MS;

/** An idle HTTP/1.1 connection is kept longer than load balancers keep theirs, or they send into a closing one. */
const KEEP_ALIVE_TIMEOUT_MS = 75 * SECOND_MS;

/** Connections at the same time; beyond, new ones are closed at once. */
const CONNECTIONS_MAX = 10_000;

/** Between the word that a connection will close and its close: calls that are on their way meanwhile are still taken. */
const NOTICE_MS = SECOND_MS / 4;

/** In a GOAWAY: no stream is refused yet (RFC 9113, section 6.8). */
const STREAM_ID_MAX = 2 ** 31 - 1;

/** Resets and cancellations that one HTTP/2 connection may make at once, and per second after that (CVE-2023-44487). */
const RESETS_BURST = 1000;
const RESETS_PER_SECOND = 500;

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
    tls === undefined ? createFront(http1, http2 as Http2Server, headersTimeoutMs) : (http2 as Http2SecureServer);

  if (shortcut !== undefined) putBeforeStreams(http2, shortcut);
  // It does not listen itself, and only then would it begin to watch its connections' time, and which of them are idle.
  http1.emit("listening");
  front.maxConnections = CONNECTIONS_MAX;
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

function withShortcut(handler: RequestHandler, shortcut: Shortcut | undefined): RequestHandler {
  if (shortcut === undefined) return handler;
  return (req, res) => {
    // Streams of HTTP/2 have been offered before there was a request.
    const taken = "stream" in req || "stream" in res ? false : shortcut.onRequest(req, res);
    if (!taken) handler(req, res);
  };
}

/** Node makes requests of streams in a listener of its own, which costs more than all that is asked of a shortcut. */
function putBeforeStreams(http2: Http2Server | Http2SecureServer, shortcut: Shortcut): void {
  const makeRequest = http2.listeners("stream") as ((stream: ServerHttp2Stream, ...rest: unknown[]) => void)[];
  http2.removeAllListeners("stream");
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ...rest: unknown[]) => {
    if (shortcut.onStream(stream, headers)) return;
    for (const listener of makeRequest) listener.call(http2, stream, headers, ...rest);
  });
}

/** Watches the answers over HTTP/1.1, so that from some moment on each is the last of its connection and says so. */
function withLastAnswers(handle: RequestHandler): { handler: RequestHandler; sayLast: () => void } {
  const open = new Set<ServerResponse>();
  let last = false;
  return {
    handler(req, res) {
      if (res instanceof ServerResponse) {
        if (last) res.shouldKeepAlive = false;
        open.add(res);
        res.once("close", () => open.delete(res));
      }
      handle(req, res);
    },
    sayLast() {
      last = true;
      for (const res of open) res.shouldKeepAlive = false;
    },
  };
}

/** How often connections are looked at for one that takes too long. */
const CHECK_INTERVAL_MS = SECOND_MS;

function http1Settings(headersTimeout: number) {
  return {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, headersTimeout),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    noDelay: true,
  };
}

const http2Settings = {
  maxHeaderListPairs: HEADER_PAIRS_MAX,
  settings: { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_BYTES_MAX },
  streamResetBurst: RESETS_BURST,
  streamResetRate: RESETS_PER_SECOND,
  unknownProtocolTimeout: HEADERS_TIMEOUT_MS,
};

function tlsSettings({ cert, key, clientCa }: TlsOptions, headersTimeoutMs: number) {
  const mutual = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, allowHTTP1: true, ...http1Settings(headersTimeoutMs), ...mutual };
}

/** What each client of HTTP/2 says first (RFC 9113, section 3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Looks at the first bytes of a connection and hands it to the server whose protocol they are of. */
function createFront(http1: Server, http2: Http2Server, headersTimeoutMs: number): NetServer {
  return createNetServer({ noDelay: true, pauseOnConnect: false }, (socket) => {
    const silence = setTimeout(() => socket.destroy(), headersTimeoutMs);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => clearTimeout(silence));
    let seen = Buffer.alloc(0);
    socket.on("readable", function look() {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]);
      const compared = Math.min(seen.length, PREFACE.length);
      const same = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
      if (same && compared < PREFACE.length) return;
      clearTimeout(silence);
      socket.removeListener("readable", look);
      socket.unshift(seen);
      (same ? http2 : http1).emit("connection", socket);
      // Its new owner reads on from what was put back.
      if (!same) socket.resume();
    });
  });
}
