import cluster from "node:cluster";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../log.ts";
import type { Exposition } from "../metrics.ts";
import { random } from "../random.ts";
import { monotonicMs, SECOND_MS } from "../time.ts";
import { createCombinedMetrics } from "./combined-metrics.ts";
import type { SharedStore } from "./messages.ts";
import { endsInRow, respawnDelayMs } from "./respawn.ts";
import { forkWorker, type WorkerProcess } from "./worker-process.ts";

/** So many workers, each replaced when it ends. */
export interface Crew {
  /**
   * Resolves with where they answer, once all of them do, or with undefined where `stop` resolves before.
   *
   * @throws what keeps the first of those from serving that do not come to it; the others are ended then
   */
  start(stop: Promise<void>): Promise<string | undefined>;
  /** Whether one of them at least wants calls: they share a port, which is of use as long as anyone behind it is. */
  ready(): boolean;
  expose(): Promise<Exposition>;
  /** All drain at the same time. Resolves when none is left; those that hang are killed after `stopMsMax`. */
  stop(): Promise<void>;
  /** Leaves none behind. For the end of this process. */
  kill(): void;
}

interface Parts {
  readonly count: number;
  readonly store: SharedStore;
  readonly stopMsMax: number;
  readonly log: Log;
  /** A worker has ended that had these rows among the members. */
  readonly onDead: (memberIds: readonly string[]) => void;
}

/**
 * A worker that has not answered so many questions in a row is stuck, and serves nobody. Of a single process a probe of its operations
 * port would notice that, but that port is the primary's.
 */
const UNANSWERED_MAX = 10;
const PING_INTERVAL_MS = SECOND_MS;

const MAIN = join(import.meta.dirname, "../main.ts");

export function createCrew({ count, store, stopMsMax, log, onDead }: Parts): Crew {
  /** By their places, from 1. */
  const workers = new Map<number, WorkerProcess>();
  const metrics = createCombinedMetrics({ running: () => workers.size, ready: countReady });
  const stopping = new AbortController();
  let kept: readonly Promise<void>[] = [];
  let started = false;
  let pings: NodeJS.Timeout | undefined;

  /** Keeps a place filled until the crew is stopped. */
  async function keep(number: number): Promise<void> {
    let ends = 0;
    while (!stopping.signal.aborted) {
      const worker = forkWorker(number, store);
      workers.set(number, worker);
      const servedMs = watch(number, worker);
      const how = await worker.ended;
      workers.delete(number);
      metrics.keep(worker.lastSnapshot());
      // Whoever starts the crew hears of it.
      if (stopping.signal.aborted || !(started || worker.hasServed())) return;
      onDead(worker.memberIds());
      metrics.replaced();
      ends = endsInRow(ends, servedMs());
      const delayMs = respawnDelayMs(ends, random);
      log.error({ worker: number, pid: worker.pid, how, delayMs }, "a worker has ended and is replaced");
      await delay(delayMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  /** Logs when it serves or why it cannot. Gives how long it has served. */
  function watch(number: number, worker: WorkerProcess): () => number {
    let sinceMs: number | undefined;
    worker.serving.then(
      () => {
        sinceMs = monotonicMs();
        log.info({ worker: number, pid: worker.pid }, "a worker serves");
      },
      (error: unknown) => {
        if (started && !stopping.signal.aborted) log.error({ worker: number, error }, "a worker cannot serve");
      },
    );
    return () => (sinceMs === undefined ? 0 : monotonicMs() - sinceMs);
  }

  /** Counts by our own ticks, so that a machine that was asleep does not take all for stuck when it wakes. */
  function killStuck(): void {
    for (const [number, worker] of workers) {
      if (worker.ping() < UNANSWERED_MAX) continue;
      log.error({ worker: number, pid: worker.pid }, "a worker does not answer and is killed");
      worker.kill();
    }
  }

  function countReady(): number {
    return [...workers.values()].filter((worker) => worker.ready()).length;
  }

  function kill(): void {
    for (const worker of workers.values()) worker.kill();
  }

  return {
    async start(stop) {
      // Of the command line only what a worker has to know; all else it is told.
      cluster.setupPrimary({ exec: MAIN, args: ["serve"], serialization: "advanced" });
      const places = Array.from({ length: count }, (_, index) => index + 1);
      kept = places.map(keep);
      try {
        const all = Promise.all([...workers.values()].map(({ serving }) => serving));
        // A terminal sends its signals to the workers as well, and those that have just begun know no better than to end.
        const urls = await Promise.race([all, stop]);
        started = urls !== undefined;
        if (started) pings = setInterval(killStuck, PING_INTERVAL_MS);
        return urls?.[0];
      } catch (error) {
        // Nobody counts on those that serve already.
        stopping.abort();
        kill();
        throw error;
      }
    },
    ready: () => !stopping.signal.aborted && countReady() > 0,
    async expose() {
      return metrics.expose(await Promise.all([...workers.values()].map((worker) => worker.snapshot())));
    },
    async stop() {
      clearInterval(pings);
      stopping.abort();
      for (const worker of workers.values()) worker.stop();
      const timer = setTimeout(() => {
        log.error({ workers: [...workers.keys()] }, "workers that have not stopped in time are killed");
        kill();
      }, stopMsMax);
      await Promise.all(kept);
      clearTimeout(timer);
    },
    kill,
  };
}
