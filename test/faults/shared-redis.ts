import { once } from "node:events";
import { connect } from "node:net";
import { openRedis, type TestRedis } from "../harness/redis.ts";
import type { Node } from "./node.ts";

/** A Redis that all replicas share, and that forgets. */
export interface SharedRedis extends AsyncDisposable {
  readonly port: number;
  flush(): Promise<void>;
  /** Puts an empty one in its place. */
  restart(nodes: readonly Node[]): Promise<void>;
}

/** Undefined where there is no Redis to be had, or only one that is others' as well. */
export async function openSharedRedis(): Promise<SharedRedis | undefined> {
  if (process.env.TEST_REDIS_URL) return undefined;
  const first = await openRedis();
  if (first === undefined) return undefined;
  let redis: TestRedis = first;
  const portOf = ({ url }: TestRedis) => Number(new URL(url).port);
  return {
    get port() {
      return portOf(redis);
    },
    async flush() {
      const socket = connect(portOf(redis), "127.0.0.1");
      socket.write("flushall\r\n");
      await once(socket, "data");
      socket.destroy();
    },
    async restart(nodes) {
      const old = redis;
      redis = (await openRedis()) ?? old;
      await old[Symbol.asyncDispose]();
      for (const node of nodes) node.redis?.turnTo({ host: "127.0.0.1", port: portOf(redis) });
    },
    [Symbol.asyncDispose]: async () => await redis[Symbol.asyncDispose](),
  };
}
