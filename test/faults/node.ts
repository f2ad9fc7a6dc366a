import { type Clavis, createClavis } from "@clavis/sdk";
import { openPostgresProxy, type PostgresProxy } from "../harness/postgres-proxy.ts";
import { type ServiceProcess, startServiceProcess } from "../harness/service-process.ts";
import { openTcpProxy, type TcpProxy } from "../harness/tcp-proxy.ts";
import { openVerifyLines, type VerifyLines } from "./raw-verify.ts";

/** One replica in a process of its own, with wires of its own to Postgres and Redis, and what a run does to it. */
export interface Node extends AsyncDisposable {
  readonly name: string;
  readonly postgres: PostgresProxy;
  readonly redis: TcpProxy | undefined;
  /** Undefined while it is dead. */
  readonly lines: VerifyLines | undefined;
  readonly clavis: Clavis | undefined;
  /** Whether it has been neither stopped, dead nor cut off from Postgres for at least that long. */
  isWell(forMs: number): boolean;
  /** One of its metrics by its name and labels; 0 while it cannot be read. */
  figure(series: string): Promise<number>;
  freeze(): void;
  thaw(): void;
  /** Lets nothing through to Postgres, or breaks its connections, until `reconnect`. */
  disconnect(how: "cut" | "hang"): void;
  reconnect(): void;
  /** Breaks its connections to a Postgres that goes, until it is led to the one that comes after. */
  orphan(): void;
  adopt(databaseUrl: string): void;
  /** Ends it as `kill -9` does. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface NodeOptions {
  readonly name: string;
  readonly databaseUrl: string;
  readonly redisPort: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  /** A management key that may do everything. */
  readonly token: string;
}

type Ailment = "dead" | "frozen" | "disconnected" | "orphaned";

const CALL_MS_MAX = 8_000;

/** A node that is not started yet. */
export async function openNode({ name, databaseUrl, redisPort, env, argv, token }: NodeOptions): Promise<Node> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await openPostgresProxy(databaseUrl));
  const redis =
    redisPort === undefined ? undefined : stack.use(await openTcpProxy({ host: "127.0.0.1", port: redisPort }));
  const ailments = new Set<Ailment>(["dead"]);
  let wellSinceMs = 0;
  let running: { process: ServiceProcess; lines: VerifyLines; clavis: Clavis } | undefined;

  function recover(ailment: Ailment): void {
    ailments.delete(ailment);
    wellSinceMs = performance.now();
  }

  async function kill(): Promise<void> {
    ailments.add("dead");
    const ended = running;
    running = undefined;
    await ended?.process.kill();
    ended?.lines.close();
    await ended?.clavis.close();
  }

  stack.defer(kill);
  const kept = stack.move();
  return {
    name,
    postgres,
    redis,
    get lines() {
      return running?.lines;
    },
    get clavis() {
      return running?.clavis;
    },
    isWell: (forMs) => ailments.size === 0 && performance.now() - wellSinceMs >= forMs,
    async figure(series) {
      if (running === undefined) return 0;
      const text = await (await fetch(`${running.process.operationsUrl()}/metrics`)).text();
      const line = text.split("\n").find((one) => one.startsWith(`${series} `));
      return Number(line?.slice(series.length) ?? 0);
    },
    freeze() {
      ailments.add("frozen");
      running?.process.signal("SIGSTOP");
    },
    thaw() {
      running?.process.signal("SIGCONT");
      recover("frozen");
    },
    disconnect(how) {
      ailments.add("disconnected");
      if (how === "cut") postgres.cut();
      else postgres.hang();
    },
    reconnect() {
      postgres.restore();
      recover("disconnected");
    },
    orphan() {
      ailments.add("orphaned");
      postgres.cut();
    },
    adopt(url) {
      postgres.failOver(url);
      postgres.restore();
      recover("orphaned");
    },
    kill,
    async start() {
      const process = await startServiceProcess(
        {
          ...env,
          CLAVIS_DATABASE_URL: postgres.url,
          ...(redis !== undefined && { CLAVIS_REDIS_URL: `redis://127.0.0.1:${redis.port}` }),
        },
        argv,
      );
      running = {
        process,
        lines: openVerifyLines(process.url),
        clavis: createClavis({ baseUrl: process.url, token, attemptsMax: 1, timeoutMs: CALL_MS_MAX }),
      };
      recover("dead");
    },
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}
