import { Cluster, Redis, type RedisOptions } from "ioredis";
import { random } from "../random.ts";
import type { RedisAddress, RedisHost } from "../redis-url.ts";
import { SECOND_MS } from "../time.ts";
import { slotOf } from "./key-slot.ts";
import { createNode, type RedisNode } from "./node.ts";

/** The servers that there are: one, or those of a Cluster. */
export interface Nodes extends Disposable {
  /** Where the name is; undefined as long as nobody knows. */
  nodeOf(name: string): RedisNode | undefined;
  /** Whether any of them is there. */
  up(): boolean;
  /** A connection of its own to one of them, that ends for good when it breaks. */
  connect(): Redis;
}

export interface NodesOptions {
  /** How long an answer may take. */
  readonly budgetMs: number;
  /** A server has come or gone. */
  readonly onChanged: () => void;
  /** A server that is asked as if it were alone says that it is not. */
  readonly onElsewhere: () => void;
}

/** Of the handshake, and of what no caller waits for. Those who wait are given less time, by the node. */
const COMMAND_TIMEOUT_MS = SECOND_MS;
const CONNECT_TIMEOUT_MS = 2 * SECOND_MS;
const DISCONNECT_TIMEOUT_MS = 100;
const KEEP_ALIVE_MS = 5 * SECOND_MS;
const RECONNECT_MAX_MS = 2 * SECOND_MS;

/** How often a Cluster is asked what is where, at the most often and at the least. */
const REFRESH_MIN_MS = SECOND_MS;
const REFRESH_MAX_MS = 5 * SECOND_MS;

export function openNodes(address: RedisAddress, options: NodesOptions): Nodes {
  return address.cluster ? openCluster(address, options) : openSingle(address, options);
}

function openSingle(address: RedisAddress, { budgetMs, onChanged, onElsewhere }: NodesOptions): Nodes {
  const [host] = address.hosts;
  const redis = new Redis({ ...optionsOf(address), ...host, db: address.db, retryStrategy: backOff });
  const node = createNode({ redis, clustered: false, budgetMs, onElsewhere });
  redis.on("ready", onChanged);
  redis.on("close", onChanged);
  return {
    nodeOf: () => node,
    up: () => node.up(),
    connect: () => connectOnce(address, host),
    [Symbol.dispose]() {
      redis.removeAllListeners("close");
      redis.disconnect();
    },
  };
}

/**
 * ioredis knows which nodes there are and what is where. Commands are not sent through it, as it would send them on, again and to
 * whomever, but to the nodes themselves, so that a node that hangs costs only what is on it. A connection that has ended is not made
 * again before the Cluster has been asked anew: the node may have another address by then, or be no node any more.
 */
function openCluster(address: RedisAddress, { budgetMs, onChanged }: NodesOptions): Nodes {
  const nodes = new Map<string, { readonly redis: Redis; readonly node: RedisNode }>();
  const cluster = new Cluster([...address.hosts], {
    enableOfflineQueue: false,
    // It would ask any node, take one that is still connecting for gone, and begin all over again. Nodes say themselves what they cannot do.
    enableReadyCheck: false,
    clusterRetryStrategy: backOff,
    slotsRefreshInterval: REFRESH_MAX_MS,
    slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
    // Names are left as they are, for certificates to be held to.
    dnsLookup: (host, done) => done(null, host),
    redisOptions: optionsOf(address),
  });
  let refresh: NodeJS.Timeout | undefined;
  cluster.on("error", () => {});
  cluster.on("+node", (redis: Redis) => {
    const node = createNode({ redis, clustered: true, budgetMs, onElsewhere: refreshSoon });
    nodes.set(keyOf(redis), { redis, node });
    redis.on("ready", onChanged);
    redis.on("close", onChanged);
    if (!redis.options.readOnly) connectTo(redis);
  });
  cluster.on("-node", (redis: Redis) => {
    if (nodes.get(keyOf(redis))?.redis === redis) nodes.delete(keyOf(redis));
    refreshSoon();
  });

  function refreshSoon(): void {
    refresh ??= setTimeout(() => {
      refresh = undefined;
      if (cluster.status === "ready") cluster.refreshSlotsCache();
    }, REFRESH_MIN_MS);
  }

  function nodeOf(name: string): RedisNode | undefined {
    const key = cluster.slots[slotOf(name)]?.[0];
    const known = key === undefined ? undefined : nodes.get(key);
    // It was a replica when it was found.
    if (known?.redis.status === "wait") connectTo(known.redis);
    return known?.node;
  }

  function nodesUp() {
    return [...nodes.values()].filter(({ node }) => node.up());
  }

  return {
    nodeOf,
    up: () => nodesUp().length > 0,
    connect() {
      const up = nodesUp();
      const { host, port } = up[Math.floor(random() * up.length)]?.redis.options ?? {};
      return connectOnce(address, host === undefined || port === undefined ? address.hosts[0] : { host, port });
    },
    [Symbol.dispose]() {
      clearTimeout(refresh);
      cluster.removeAllListeners("-node");
      for (const { redis } of nodes.values()) redis.removeAllListeners("close");
      cluster.disconnect();
    },
  };
}

function optionsOf({ tls, username, password }: RedisAddress): Omit<RedisOptions, "replyMapping"> {
  return {
    // All that is needed of the protocol is in its second version, which whatever stands between understands.
    protocol: 2,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    connectionName: "clavis",
    disableClientInfo: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
  };
}

function connectOnce(address: RedisAddress, { host, port }: RedisHost): Redis {
  return new Redis({ ...optionsOf(address), host, port, db: address.db, retryStrategy: () => null });
}

function connectTo(redis: Redis): void {
  // What comes of it is told by events.
  redis.connect().catch(() => {});
}

function backOff(attempt: number): number {
  return Math.min(2 ** attempt * 50, RECONNECT_MAX_MS);
}

function keyOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}
