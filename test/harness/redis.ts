import { Redis } from "ioredis";
import { startBoundProcess, startOnFreePort } from "./bound-process.ts";
import { findProgram, type Program } from "./debian-program.ts";
import { sayMissing } from "./missing.ts";
import { openTemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
}

/** A Redis that may be treated badly, as nobody else has to do with it. */
export interface OwnRedis extends TestRedis {
  readonly port: number;
  /** To look into it and to set it up by. */
  readonly client: Redis;
  /** Stops its process where it is (SIGSTOP), and lets it go on. */
  pause(): void;
  resume(): void;
  /** Kills it, with all that it holds. */
  stop(): Promise<void>;
  /** An empty one in its place. */
  start(): Promise<void>;
}

/**
 * A Redis or Valkey of one's own, empty. The one that `TEST_REDIS_URL` names instead, if it does, is shared with
 * whoever else uses it.
 *
 * Undefined if there is none to be had, which is said loudly; an error where `REQUIRE_REDIS=1`.
 */
export async function openRedis(): Promise<TestRedis | undefined> {
  const given = process.env.TEST_REDIS_URL;
  return given ? { url: given, async [Symbol.asyncDispose]() {} } : await openOwnRedis();
}

/** As `openRedis`, but never a shared one. `optionsFor` gives what else stands in its command line. */
export async function openOwnRedis(optionsFor: OptionsFor = () => []): Promise<OwnRedis | undefined> {
  const program = await findProgram(["valkey-server", "redis-server"], "redis-server");
  if (program === undefined) return sayMissing("Redis", "REQUIRE_REDIS");
  const started = await startOnFreePort(async (candidate) => {
    return { port: candidate, running: await startServer(program, candidate, optionsFor(candidate)) };
  });
  const { port } = started;
  let { running } = started;
  const client = new Redis({ port, retryStrategy: () => 20 });
  client.on("error", () => {});
  let pid = await processId(client);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    client,
    pause: () => void process.kill(pid, "SIGSTOP"),
    resume: () => void process.kill(pid, "SIGCONT"),
    stop: async () => await running[Symbol.asyncDispose](),
    async start() {
      running = await startServer(program, port, optionsFor(port));
      pid = await processId(client);
    },
    async [Symbol.asyncDispose]() {
      client.disconnect();
      await running[Symbol.asyncDispose]();
    },
  };
}

type OptionsFor = (port: number) => readonly string[];

/** Three Redis that make a Cluster. Undefined as for `openRedis`. */
export async function openRedisCluster(): Promise<
  (AsyncDisposable & { readonly nodes: readonly OwnRedis[] }) | undefined
> {
  await using stack = new AsyncDisposableStack();
  const nodes: OwnRedis[] = [];
  for (const _ of [1, 2, 3]) {
    const node = await openOwnRedis(clusterOptions);
    if (node === undefined) return undefined;
    nodes.push(stack.use(node));
  }
  const [first] = nodes;
  for (const [index, { client, port }] of nodes.entries()) {
    const [from, to] = [index, index + 1].map((part) => Math.floor((part * 16_384) / nodes.length)) as [number, number];
    await client.cluster("SET-CONFIG-EPOCH", index + 1);
    await client.cluster("ADDSLOTS", ...Array.from({ length: to - from }, (_, slot) => from + slot));
    await first?.client.call("CLUSTER", "MEET", "127.0.0.1", port, busOf(port));
  }
  for (const { client } of nodes) {
    await until("the cluster is complete", async () => {
      const info = `${await client.cluster("INFO")}`;
      return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${nodes.length}`);
    });
  }
  const kept = stack.move();
  return { nodes, [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}

async function startServer(program: Program, port: number, options: readonly string[]): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await openTemporaryFolder());
  const listening = ["--bind", "127.0.0.1", "--port", `${port}`];
  const args = [...listening, "--save", "", "--appendonly", "no", "--dir", folder.path, ...options];
  stack.use(await startBoundProcess({ program, args, folder: folder.path, ready: /Ready to accept connections/ }));
  const kept = stack.move();
  return { [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}

async function processId(client: Redis): Promise<number> {
  return Number(/^process_id:(\d+)/m.exec(await client.info("server"))?.[1]);
}

const CLUSTER_NODE_TIMEOUT_MS = 1000;

function clusterOptions(port: number): string[] {
  const timeout = ["--cluster-node-timeout", `${CLUSTER_NODE_TIMEOUT_MS}`];
  // What a node does not serve does not keep the others from serving the rest.
  const partial = ["--cluster-require-full-coverage", "no"];
  return ["--cluster-enabled", "yes", "--cluster-port", `${busOf(port)}`, ...timeout, ...partial];
}

/** Where the nodes talk to each other: by default 10,000 further, which may be beyond the last port. */
function busOf(port: number): number {
  return port > 55_000 ? port - 10_000 : port + 10_000;
}
