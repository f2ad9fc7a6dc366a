import type { Runtime } from "../../sdk/client/runtime.ts";

/** A runtime in which time passes only when nothing else can happen, and chance is what the test says. */
export interface VirtualRuntime extends Runtime {
  /** Lets `work` run to its end, moving the clock to the next wait whenever it has nothing else to do. */
  readonly run: <T>(work: Promise<T>) => Promise<T>;
  /** The waits that have come to their end by the clock, in milliseconds, oldest first. */
  readonly waited: number[];
  /** How many waits are still to come to their end. */
  readonly pendingCount: () => number;
}

/** How often `run` moves the clock at most, so that work that waits for ever fails the test instead of hanging it. */
const MOVES_MAX = 1_000;

/** A runtime at time 0 whose `random` always gives the same. */
export function createVirtualRuntime({ random = 0.5 }: { random?: number } = {}): VirtualRuntime {
  const pending = new Set<{ readonly ms: number; readonly dueTime: number; readonly end: () => void }>();
  const waited: number[] = [];
  let time = 0;
  let uuids = 0;

  async function run<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    work.then(settle, settle);
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      await everythingElse();
      if (settled) return work;
      moveOn();
    }
    throw new Error("the work neither ends nor waits for anything that will");
  }

  function moveOn(): void {
    const [next] = [...pending].toSorted((a, b) => a.dueTime - b.dueTime);
    if (next === undefined) return;
    time = next.dueTime;
    waited.push(next.ms);
    next.end();
  }

  return {
    now: () => time,
    random: () => random,
    uuid: () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, "0")}`,
    wait(ms, signal) {
      return new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const end = () => {
          pending.delete(wait);
          resolve();
        };
        const wait = { ms, dueTime: time + ms, end };
        pending.add(wait);
        signal.addEventListener("abort", end, { once: true });
      });
    },
    run,
    waited,
    pendingCount: () => pending.size,
  };
}

/** Resolves once all that can happen without a timer has happened. */
function everythingElse(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
