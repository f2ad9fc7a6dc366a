import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import { CommandFailure } from "../cli/command-failure.ts";
import { type Config, parseConfig } from "../config.ts";
import { createLog } from "../log.ts";
import { startServer } from "../server.ts";
import { type RunningWorkers, startWorkers } from "../workers/primary.ts";
import { runWorker } from "../workers/worker.ts";
import { resolveWorkerCount, type WorkerCount } from "../workers/worker-count.ts";
import { greetingOf } from "./greeting.ts";
import type { Host } from "./host.ts";
import { explain } from "./known-failure.ts";
import { armWatchdog, catchLast } from "./last-resort.ts";
import { stopRequest } from "./stop-request.ts";

export interface ServeOptions {
  /** By default what the environment says. */
  readonly workers?: WorkerCount;
}

/**
 * Serves until a signal, and then finishes what is under way.
 *
 * @throws CommandFailure if the service cannot be started, or cannot go on
 */
export async function serve(host: Host, options: ServeOptions = {}): Promise<void> {
  if (cluster.worker !== undefined) return runWorker(host, cluster.worker);
  try {
    const config = parseConfig(host.env);
    const log = createLog(config.logLevel);
    catchLast(host, log);
    // From here on, so that a signal during the start is not lost.
    const stop = stopRequest(host);
    let stopping = false;
    void stop.then(() => {
      stopping = true;
      armWatchdog(host, log);
    });

    const count = resolveWorkerCount(options.workers ?? config.workers, availableParallelism());
    await using server =
      count === 1 ? await startServer(config, { log }) : await startWorkers(config, { log, host, stop, count });
    // Whoever has asked for the end meanwhile must not read that it is ready.
    if (stopping) return log.info("stopping");
    greet(host, config, server);
    log.info({ url: server.url, operationsUrl: server.operationsUrl, workers: count }, "serving");
    const failure = await Promise.race([stop, server.failed]);
    if (failure === undefined) return log.info("stopping");
    armWatchdog(host, log);
    log.error({ error: failure }, "the service cannot go on");
    throw new CommandFailure(failure.message);
  } catch (error) {
    throw explain(error);
  }
}

/** For people: who starts a Clavis of their own, or sits at the terminal. Programs read the log. */
function greet({ stdout, cwd }: Host, { store }: Config, server: RunningWorkers): void {
  if (store.shape === "server" && !stdout.isTTY) return;
  stdout.write(greetingOf({ ...server, workingDir: cwd() }));
}
