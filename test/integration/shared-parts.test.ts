import { afterAll, describe } from "vitest";
import { newRootKey } from "../../src/root-keys.ts";
import { SECOND_MS } from "../../src/time.ts";
import { describeBulletin } from "../contract/bulletin.ts";
import { describeSharedCache } from "../contract/shared-cache.ts";
import { createMemoryBoard } from "../harness/memory-bulletin.ts";
import { createMemorySharedCache } from "../harness/memory-shared-cache.ts";
import { openOwnRedis, openRedisCluster } from "../harness/redis.ts";
import { openRedisParts } from "../harness/redis-parts.ts";

const stack = new AsyncDisposableStack();
const single = await openOwnRedis();
const cluster = await openRedisCluster();
for (const server of [single, cluster]) if (server !== undefined) stack.use(server);

afterAll(() => stack.disposeAsync());

describe("in one process", () => {
  const cache = createMemorySharedCache();
  const board = createMemoryBoard();
  const bulletins = [board.open(), board.open(), board.open()];
  describe("the shared cache", () => describeSharedCache(() => ({ cache, written: async () => {} })));
  describe("the bulletin", () => describeBulletin(() => bulletins));
});

const urls = {
  "one Redis": single?.url,
  "a Cluster": cluster?.nodes.map(({ url }) => url).join(","),
};

describe.each(Object.entries(urls))("on %s", async (_, url) => {
  if (url === undefined) return;
  const rootKey = newRootKey("test");
  const replicas = await Promise.all([1, 2, 3].map(() => openRedisParts(url, { rootKey, budgetMs: 10 * SECOND_MS })));
  for (const replica of replicas) stack.use(replica);
  const [first] = replicas;
  if (first === undefined) return;
  describe("the shared cache", () => describeSharedCache(() => first));
  describe("the bulletin", () => describeBulletin(() => replicas.map(({ bulletin }) => bulletin)));
});
