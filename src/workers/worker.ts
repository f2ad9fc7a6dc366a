import type { Worker } from "node:cluster";
import { CommandFailure } from "../cli/command-failure.ts";
import type { Host } from "../commands/host.ts";
import { explain } from "../commands/known-failure.ts";
import { armWatchdog, catchLast } from "../commands/last-resort.ts";
import { stopRequest } from "../commands/stop-request.ts";
import { parseConfig } from "../config.ts";
import { createLog } from "../log.ts";
import { Secret } from "../secret.ts";
import { type RunningServer, startServer } from "../server.ts";
import type { Store } from "../store.ts";
import { SECOND_MS } from "../time.ts";
import type { SharedStore } from "./messages.ts";
import { type PrimaryLink, reachPrimary } from "./primary-link.ts";

/** How soon the primary knows of what has changed here. */
const REPORT_MS = SECOND_MS / 5;

/**
 * Serves as one of several until the primary says so or has gone, or this worker alone is sent a signal; then it finishes what is
 * under way.
 *
 * @throws CommandFailure without words if it cannot serve: the primary has them
 */
export async function runWorker(host: Host, worker: Worker): Promise<void> {
  const primary = reachPrimary(worker);
  // A terminal sends its signals to each of us.
  const stop = Promise.race([stopRequest(host), primary.stop]);
  try {
    await serveFor(primary, host, stop);
  } catch (error) {
    const explained = explain(error);
    primary.tell({ type: "failed", error: explained, explained: explained instanceof CommandFailure });
    throw new CommandFailure("");
  } finally {
    primary.close();
  }
}

async function serveFor(primary: PrimaryLink, host: Host, stop: Promise<void>): Promise<void> {
  const start = await Promise.race([primary.start, stop]);
  if (start === undefined) return;
  const config = parseConfig(host.env);
  const log = createLog(config.logLevel, undefined, { worker: start.number });
  catchLast(host, log);
  void stop.then(() => armWatchdog(host, log));

  const server = await startServer({ ...config, metricsListen: null }, { log, store: storeOf(start.store) });
  const count = async () => primary.tell({ type: "counted", metrics: await server.metrics.snapshot() });
  try {
    primary.onCount(() => void count());
    using _ = reportTo(primary, server);
    primary.tell({ type: "serving", url: server.url });
    await stop;
  } finally {
    await server[Symbol.asyncDispose]();
  }
  await count();
}

/** Tells the primary what it has to know, as soon as it changes. Ends with the word that no calls are wanted any more. */
function reportTo(primary: PrimaryLink, { readiness, memberIds }: RunningServer): Disposable {
  let told = "";
  const tell = (ready: boolean) => {
    const state = { ready, memberIds: memberIds() };
    const text = JSON.stringify(state);
    if (text === told) return;
    told = text;
    primary.tell({ type: "state", ...state });
  };
  const report = () => tell(readiness.ready());
  report();
  const timer = setInterval(report, REPORT_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      tell(false);
    },
  };
}

/** The primary has opened it, and closes it. */
function storeOf({ url, connectionsMax, rootKeys, operatorSecrets }: SharedStore): Store {
  return {
    url: new Secret(url),
    connectionsMax,
    rootKeys,
    operatorSecrets: operatorSecrets.map((secret) => new Secret(secret)),
    folder: undefined,
    failed: new Promise<never>(() => {}),
    async [Symbol.asyncDispose]() {},
  };
}
