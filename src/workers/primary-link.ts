import type { Worker } from "node:cluster";
import type { FromWorker, ToWorker } from "./messages.ts";

/** A worker's end of the channel to its primary. */
export interface PrimaryLink {
  readonly start: Promise<Extract<ToWorker, { type: "start" }>>;
  /** Resolves when the primary says so, or has gone. */
  readonly stop: Promise<void>;
  tell(message: FromWorker): void;
  onCount(listener: () => void): void;
  /** Lets go of the channel, which keeps the process running. */
  close(): void;
}

export function reachPrimary(worker: Worker): PrimaryLink {
  const start = Promise.withResolvers<Extract<ToWorker, { type: "start" }>>();
  const stop = Promise.withResolvers<void>();
  let count = () => {};

  // Node ends a worker at once whose primary has gone, unless it is on its way out itself. What is under way is to be finished.
  worker.exitedAfterDisconnect = true;
  worker.on("disconnect", stop.resolve);
  worker.on("error", () => {});
  worker.on("message", (message: ToWorker) => {
    if (message.type === "start") start.resolve(message);
    else if (message.type === "stop") stop.resolve();
    else if (message.type === "ping") tell({ type: "pong" });
    else count();
  });

  function tell(message: FromWorker): void {
    if (worker.isConnected()) worker.send(message, () => {});
  }

  tell({ type: "hello" });
  return {
    start: start.promise,
    stop: stop.promise,
    tell,
    onCount(listener) {
      count = listener;
    },
    close() {
      if (worker.isConnected()) worker.disconnect();
    },
  };
}
