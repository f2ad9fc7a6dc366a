import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** A service on a real socket that answers as its routes say. */
export interface FakeService extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The HTTP/2 connections that are open. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Gives the next stream to `handle` instead of the routes. */
  interceptNext(handle: (stream: ServerHttp2Stream) => void): void;
}

/** Serves `routes` below `path` over HTTP/2 without TLS, as the client in Node speaks it. */
export async function startFakeService(routes: (router: ConnectRouter) => void, path = ""): Promise<FakeService> {
  const adapter = connectNodeAdapter({ routes, requestPathPrefix: path });
  const interceptors: ((stream: ServerHttp2Stream) => void)[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server((req, res) => {
    const intercept = interceptors.shift();
    if (intercept === undefined) adapter(req, res);
    else intercept(req.stream);
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  const port = await listen(server);
  return {
    url: `http://localhost:${port}`,
    port,
    sessions,
    interceptNext: (handle) => interceptors.push(handle),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await close(server);
    },
  };
}

/** Serves `routes` over HTTP/1.1, as `fetch` speaks it. */
export async function startFakeHttp1Service(
  routes: (router: ConnectRouter) => void,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createHttpServer(connectNodeAdapter({ routes }));
  const url = `http://localhost:${await listen(server)}`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await close(server);
    },
  };
}

/** A wire that can go dead without a word, as a pulled cable or a frozen machine does. */
export interface Wire extends AsyncDisposable {
  readonly url: string;
  /** From now on nothing passes on the connections that are open. New ones work. */
  freeze(): void;
}

/** A wire to `port`. */
export async function startWire(port: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "localhost");
    for (const socket of [near, far]) {
      sockets.add(socket);
      // Small frames held back for 40 ms would look like a dead wire to a short ping.
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  return {
    url: `http://localhost:${await listen(server)}`,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await close(server);
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "localhost");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}
