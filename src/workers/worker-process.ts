import cluster, { type Worker } from "node:cluster";
import { setTimeout as delay } from "node:timers/promises";
import { CommandFailure } from "../cli/command-failure.ts";
import type { MetricsSnapshot } from "../metrics.ts";
import { SECOND_MS } from "../time.ts";
import type { FromWorker, SharedStore, ToWorker } from "./messages.ts";

/** A worker as its primary sees it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /**
   * Resolves with where it answers, as soon as it does.
   *
   * Rejects with why it cannot, in the words that a single process would have, if it ends before.
   */
  readonly serving: Promise<string>;
  /** Resolves when it has ended and all that it told has arrived, with words for how. Never rejects. */
  readonly ended: Promise<string>;
  /** Whether it has ever answered. */
  hasServed(): boolean;
  ready(): boolean;
  /** Its rows among the members, as it told them last. */
  memberIds(): readonly string[];
  /** What it counts; where it does not answer in time, what it told last. */
  snapshot(): Promise<MetricsSnapshot>;
  /** What it told of its counts last. */
  lastSnapshot(): MetricsSnapshot;
  /** Asks whether it is there, and tells how often it has been asked since its last answer. */
  ping(): number;
  /** Tells it to drain and to end. */
  stop(): void;
  kill(): void;
}

/** A worker that hangs does not keep the metrics of the others back. */
const COUNT_MS_MAX = SECOND_MS;

export function forkWorker(number: number, store: SharedStore): WorkerProcess {
  const serving = Promise.withResolvers<string>();
  // Whether anyone waits for it or not.
  serving.promise.catch(() => {});
  const ended = Promise.withResolvers<string>();
  let served = false;
  let stopping = false;
  let unanswered = 0;
  let failure: unknown;
  let ready = false;
  let memberIds: readonly string[] = [];
  let metrics: MetricsSnapshot = [];
  let counting: PromiseWithResolvers<void> | undefined;

  const worker = fork((why) => end(why));

  function hear(message: FromWorker): void {
    switch (message.type) {
      case "hello":
        // What was told before has not been heard.
        tell(stopping ? { type: "stop" } : { type: "start", number, store });
        return;
      case "serving":
        served = true;
        serving.resolve(message.url);
        return;
      case "failed":
        failure = message.explained ? new CommandFailure((message.error as Error).message) : message.error;
        return;
      case "state":
        ({ ready, memberIds } = message);
        return;
      case "pong":
        unanswered = 0;
        return;
      case "counted":
        ({ metrics } = message);
        counting?.resolve();
        counting = undefined;
    }
  }

  function tell(message: ToWorker): void {
    // One that ends meanwhile needs to be told nothing any more.
    if (worker?.isConnected()) worker.send(message, () => {});
  }

  function end(how: string): void {
    ready = false;
    serving.reject(failure ?? new CommandFailure(`worker ${number} ended before it served: ${how}`));
    ended.resolve(how);
  }

  if (worker !== undefined) {
    worker.on("message", hear);
    void endOf(worker).then(end);
  }
  return {
    pid: worker?.process.pid,
    serving: serving.promise,
    ended: ended.promise,
    hasServed: () => served,
    ready: () => ready && !stopping,
    memberIds: () => memberIds,
    async snapshot() {
      // Before that it has nothing to tell, and may not even hear.
      if (!served) return metrics;
      if (counting === undefined) {
        counting = Promise.withResolvers();
        tell({ type: "count" });
      }
      await Promise.race([counting.promise, ended.promise, delay(COUNT_MS_MAX, undefined, { ref: false })]);
      return metrics;
    },
    lastSnapshot: () => metrics,
    ping() {
      if (!served) return 0;
      tell({ type: "ping" });
      return unanswered++;
    },
    stop() {
      stopping = true;
      tell({ type: "stop" });
    },
    kill: () => worker?.process.kill("SIGKILL"),
  };
}

/** Where the system has no room for another process, that is the end of this one, and no error. */
function fork(onFailed: (how: string) => void): Worker | undefined {
  try {
    return cluster.fork();
  } catch (error) {
    onFailed((error as Error).message);
    return undefined;
  }
}

/** How it ended. Its last words may come after its exit, and before the end of the channel. */
function endOf(worker: Worker): Promise<string> {
  return new Promise((resolve) => {
    let how: string | undefined;
    let silent = false;
    const look = () => {
      if (how !== undefined && silent) resolve(how);
    };
    worker.once("exit", (code: number | null, signal: string | null) => {
      how = signal ?? `exit code ${code}`;
      look();
    });
    worker.once("disconnect", () => {
      silent = true;
      look();
    });
    // A message that could not be sent is nothing to us; a process that never came to be is.
    worker.on("error", (error: Error) => {
      if (worker.process.pid === undefined) resolve(error.message);
    });
  });
}
