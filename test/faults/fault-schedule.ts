/** Which faults come when, by a seed. What then happens is the machine's to decide. */
import { setTimeout as delay } from "node:timers/promises";
import type { Prng } from "../harness/prng.ts";
import type { Node } from "./node.ts";
import type { SharedRedis } from "./shared-redis.ts";

export interface FaultParts {
  readonly nodes: readonly Node[];
  readonly redis: SharedRedis | undefined;
  /** Ends Postgres without notice and starts it again. Gives where it is then. */
  readonly crashPostgres: (() => Promise<string>) | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly counts: Map<string, number>;
}

type Fault = (node: Node, prng: Prng) => Promise<void>;

/** Now and then there is time for all to be well again. */
const GAP_MS_MIN = 600;
const GAP_MS_MAX = 2_500;
const CALM_SHARE = 0.2;
const CALM_MS = 6_000;

const FAULT_MS_MIN = 300;
const FAULT_MS_MAX = 4_000;

const nodeFaults: Readonly<Record<string, readonly [weight: number, fault: Fault]>> = {
  SIGSTOP: [
    4,
    async (node, prng) => {
      node.freeze();
      await wait(prng);
      node.thaw();
    },
  ],
  "kill -9": [
    1,
    async (node) => {
      await node.kill();
      await node.start();
    },
  ],
  "Postgres cut": [2, away("cut")],
  "Postgres hung": [3, away("hang")],
  // It wakes up to a Postgres that tells it nothing, with all that it knew before.
  "SIGSTOP, Postgres hung": [
    4,
    async (node, prng) => {
      node.disconnect("hang");
      node.freeze();
      await wait(prng);
      node.thaw();
      await delay(prng.below(FAULT_MS_MIN));
      node.reconnect();
    },
  ],
};

function away(how: "cut" | "hang"): Fault {
  return async (node, prng) => {
    node.disconnect(how);
    await wait(prng);
    node.reconnect();
  };
}

/** What happens to one replica after the other, and to Postgres where it is for us to end it. */
export async function runNodeFaults(prng: Prng, parts: FaultParts): Promise<void> {
  const { nodes, crashPostgres, say, signal, counts } = parts;
  async function crash(): Promise<void> {
    for (const node of nodes) node.orphan();
    const url = await crashPostgres?.();
    for (const node of nodes) if (url !== undefined) node.adopt(url);
  }
  const all = crashPostgres === undefined ? nodeFaults : { ...nodeFaults, "Postgres crashed": [1, crash] as const };
  const faults = Object.entries(all).flatMap(([name, [weight, fault]]) =>
    Array.from({ length: weight }, () => ({ name, fault })),
  );
  const draw = openBag(prng, faults);
  while (await gap(prng, signal)) {
    const { name, fault } = draw();
    const node = prng.pick(nodes);
    say(`${node.name}: ${name}`);
    count(counts, name);
    await fault(node, prng);
  }
}

/** What happens to Redis, and to the replicas' connections to it. */
export async function runRedisFaults(prng: Prng, { nodes, redis, say, signal, counts }: FaultParts): Promise<void> {
  if (redis === undefined) return;
  const faults: Readonly<Record<string, Fault>> = {
    FLUSHALL: () => redis.flush(),
    "Redis restarted": () => redis.restart(nodes),
    "Redis cut": async ({ redis: wire }, own) => {
      wire?.cut();
      await wait(own);
      wire?.restore();
    },
    "Redis hung": async ({ redis: wire }, own) => {
      wire?.hang();
      await wait(own);
      wire?.restore();
    },
  };
  const draw = openBag(prng, Object.keys(faults));
  while (await gap(prng, signal)) {
    const name = draw();
    const node = prng.pick(nodes);
    say(`${node.name}: ${name}`);
    count(counts, name);
    await faults[name]?.(node, prng);
  }
}

/** Draws all of them, in an order by chance, before one comes again. */
function openBag<T>(prng: Prng, items: readonly T[]): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = [...items];
    const index = prng.below(left.length);
    const [drawn] = left.splice(index, 1);
    // There was one at that index.
    return drawn as T;
  };
}

/** Whether there is still time for another fault after the pause. */
async function gap(prng: Prng, signal: AbortSignal): Promise<boolean> {
  const ms = prng.chance(CALM_SHARE) ? CALM_MS : GAP_MS_MIN + prng.below(GAP_MS_MAX - GAP_MS_MIN);
  await delay(ms, undefined, { signal }).catch(() => {});
  return !signal.aborted;
}

async function wait(prng: Prng): Promise<void> {
  await delay(FAULT_MS_MIN + prng.below(FAULT_MS_MAX - FAULT_MS_MIN));
}

export function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
