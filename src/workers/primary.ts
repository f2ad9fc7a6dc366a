import { LEASE_MS, waited } from "../coherence/bounds.ts";
import type { Host } from "../commands/host.ts";
import type { Config } from "../config.ts";
import { openOperations } from "../http/operations.ts";
import type { Log } from "../log.ts";
import { forgetMembers } from "../postgres/forget-members.ts";
import { DRAIN_GRACE_MS, type RunningServer } from "../server.ts";
import { openStore, type Store } from "../store.ts";
import { SECOND_MS, systemClock } from "../time.ts";
import { createCrew } from "./crew.ts";
import type { SharedStore } from "./messages.ts";

/** A service of several processes, as whoever runs it sees it. */
export type RunningWorkers = Pick<RunningServer, "url" | "operationsUrl" | "dataDir" | "failed"> & AsyncDisposable;

interface PrimaryOptions {
  readonly log: Log;
  readonly host: Pick<Host, "on">;
  /** Resolves when the end is asked for, be it before all has started. */
  readonly stop: Promise<void>;
  readonly count: number;
}

/** What a worker has to do beside its drain when it stops: leave the members, close its connections, end. */
const LAST_MS_MAX = 2 * SECOND_MS;

/**
 * Opens the store, and serves from it with `count` workers, which share the port. Answers calls of operators' machinery, and no
 * others, itself.
 *
 * @throws what startServer throws, be it here or in a worker
 */
export async function startWorkers(
  config: Config,
  { log, host, stop, count }: PrimaryOptions,
): Promise<RunningWorkers> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore(config, { clock: systemClock, processes: count }));
  const timers = new Set<NodeJS.Timeout>();
  stack.defer(() => {
    for (const timer of timers) clearTimeout(timer);
  });

  /** Nobody has to wait for a dead worker longer than for the leases that it gave. */
  function forgetSoon(memberIds: readonly string[]): void {
    if (memberIds.length === 0) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      // Where that fails the rows lapse by themselves.
      forgetMembers(store.url.reveal(), memberIds).catch((error: unknown) => {
        log.warn({ error }, "a dead worker is still among the members");
      });
    }, waited(LEASE_MS));
    timers.add(timer);
  }

  const stopMsMax = config.drainDelayMs + DRAIN_GRACE_MS + LAST_MS_MAX;
  const crew = createCrew({ count, store: shared(store), stopMsMax, log, onDead: forgetSoon });
  // However this process ends, unless it is killed itself; then they notice, and drain.
  host.on("exit", () => crew.kill());
  const { metricsListen } = config;
  const operations =
    metricsListen === null
      ? undefined
      : stack.use(await openOperations({ ...metricsListen, metrics: crew, ready: () => crew.ready() }));
  stack.defer(() => crew.stop());
  // Whoever has asked for the end meanwhile needs no address.
  const url = (await crew.start(stop)) ?? "";

  const kept = stack.move();
  return {
    url,
    operationsUrl: operations?.url,
    dataDir: store.folder?.path,
    failed: store.failed,
    [Symbol.asyncDispose]: async () => kept.disposeAsync(),
  };
}

function shared({ url, connectionsMax, rootKeys, operatorSecrets }: Store): SharedStore {
  return {
    url: url.reveal(),
    connectionsMax,
    rootKeys,
    operatorSecrets: operatorSecrets.map((secret) => secret.reveal()),
  };
}
