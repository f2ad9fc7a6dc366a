import { open, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { ServerUser } from "../../src/embedded/server-user.ts";
import { supervise } from "../../src/embedded/supervisor.ts";
import type { Program } from "./debian-program.ts";
import { until } from "./until.ts";

export interface BoundProcessOptions {
  readonly program: Program;
  readonly args: readonly string[];
  /** Where its log goes. */
  readonly folder: string;
  /** What it prints once it takes connections. */
  readonly ready: RegExp;
  /** By default ourselves. */
  readonly user?: ServerUser;
}

const self: ServerUser = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  description: "as ourselves",
  commandFor: ([file, ...args]) => ({ file, args, identity: {} }),
};

/**
 * Starts a server that has nothing to lose: it is killed when it is disposed and when the tests end, however they end.
 */
export async function startBoundProcess(options: BoundProcessOptions): Promise<AsyncDisposable> {
  const { program, args, folder, ready, user = self } = options;
  const path = join(folder, "log");
  await using log = await open(path, "w");
  const server = supervise({
    user,
    argv: [program.path, ...args],
    env: program.env,
    output: log.fd,
    stopSteps: [{ signal: "KILL", ticks: 100 }],
  });
  let ended = false;
  void server.ended.then(() => {
    ended = true;
  });
  await until(`${program.path} takes connections`, async () => ended || ready.test(await readFile(path, "utf8")));
  if (ended) throw new Error(`${program.path} did not start:\n${await readFile(path, "utf8")}`);
  return { [Symbol.asyncDispose]: async () => await server.stop() };
}

/**
 * Calls `start` with a port that was free a moment ago, and with another where someone else was quicker to take it. For
 * servers that cannot pick a port themselves.
 */
export async function startOnFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await findFreePort());
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
  return address.port;
}
