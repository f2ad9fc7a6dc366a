import type { Log } from "../log.ts";
import { parseRedisUrl } from "../redis-url.ts";
import type { Secret } from "../secret.ts";
import type { Command, Found, RedisNode } from "./node.ts";
import { openNodes } from "./nodes.ts";
import { openSubscriber, type Subscription } from "./subscriber.ts";
import { endConnectionsOnThrowingReplies } from "./throwing-replies.ts";

/**
 * The way to Redis, which may be cut at any time without a wrong answer: nothing that it holds is needed. Nothing of it throws, and
 * nobody waits for it longer than `BUDGET_MS`.
 */
export interface RedisConnection extends AsyncDisposable {
  /** Whether commands would be sent at the moment. */
  up(): boolean;
  /** What is at each of `names`, in their order. */
  read(names: readonly string[]): Promise<readonly Found[]>;
  /** Runs all, those on one node in their order. The answers come in the same order; undefined for what failed or went without one. */
  send(commands: readonly Command[]): Promise<readonly unknown[]>;
  /** Ends the connection that `name` is read over: it may have got out of step. */
  distrust(name: string): void;
  /** Listens, over a connection of its own, until all is closed. */
  subscribe(subscription: Subscription): void;
}

/** Long for a Redis that is near, and short for a caller who could have asked Postgres meanwhile. */
const BUDGET_MS = 100;

/** Connects in the background, and again whenever a connection breaks. What is asked meanwhile goes without an answer at once. */
export function openRedis(url: Secret, log: Log, budgetMs = BUDGET_MS): RedisConnection {
  const address = parseRedisUrl(url.reveal());
  if (address === undefined) throw new TypeError("not the URL of a Redis");
  endConnectionsOnThrowingReplies();
  const stack = new DisposableStack();
  let known: boolean | undefined;
  let toldElsewhere = false;
  const nodes = stack.use(
    openNodes(address, {
      budgetMs,
      onChanged() {
        const up = nodes.up();
        if (known === up) return;
        known = up;
        if (up) log.info("redis is there");
        else log.warn("redis is away; nothing depends on it");
      },
      onElsewhere() {
        if (toldElsewhere) return;
        toldElsewhere = true;
        log.warn("redis is a Cluster, which its URL does not say: nothing is kept there");
      },
    }),
  );

  /** Each node's part of `items` to the node, and what comes back to where it belongs. */
  async function byNode<Item, Answer>(
    items: readonly Item[],
    nameOf: (item: Item) => string,
    ask: (node: RedisNode, part: readonly Item[]) => Promise<readonly Answer[]>,
  ): Promise<readonly (Answer | undefined)[]> {
    const parts = Map.groupBy(items.keys(), (index) => nodes.nodeOf(nameOf(items[index] as Item)));
    const answers = new Array<Answer | undefined>(items.length).fill(undefined);
    const asked = Array.from(parts, async ([node, indexes]) => {
      if (node === undefined) return;
      const given = await ask(
        node,
        indexes.map((index) => items[index] as Item),
      );
      for (const [place, index] of indexes.entries()) answers[index] = given[place];
    });
    await Promise.all(asked);
    return answers;
  }

  return {
    up: () => nodes.up(),
    read: (names) =>
      byNode(
        names,
        (name) => name,
        (node, part) => node.read(part),
      ),
    send: (commands) =>
      byNode(
        commands,
        ({ name }) => name,
        (node, part) => node.send(part),
      ),
    distrust: (name) => nodes.nodeOf(name)?.distrust(),
    subscribe: (subscription) => void stack.use(openSubscriber(() => nodes.connect(), subscription)),
    async [Symbol.asyncDispose]() {
      stack.dispose();
    },
  };
}
