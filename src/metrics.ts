import type { Outcome } from "@clavis/sdk/rules";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What the service counts of itself. Labels have few values, and none comes from a caller. */
export interface Metrics {
  /** A call ended: `method` as `clavis.v1.KeyService/CreateKey`, `code` as `ok` or `not_found`. */
  call(method: string, code: string, seconds: number): void;
  verdict(outcome: Outcome): void;
  /** All of it in Prometheus's text format. */
  expose(): Promise<Exposition>;
  /** All of it as it is now, to be added up with that of other processes. */
  snapshot(): Promise<MetricsSnapshot>;
}

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

export type MetricsSnapshot = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** Connections to Postgres, as its pool counts them. */
export interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** From a fast verify to the longest wait that a call may have. */
const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(parts: {
  pools: Readonly<Record<string, PoolCounts>>;
  redisUp: (() => boolean) | undefined;
}): Metrics {
  const { pools, redisUp } = parts;
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry });
  const seconds = new Histogram({
    name: "clavis_rpc_seconds",
    help: "Calls answered and the time that they took, by method and status.",
    labelNames: ["method", "code"],
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const verdicts = new Counter({
    name: "clavis_verdicts_total",
    help: "Secrets decided on, by outcome.",
    labelNames: ["outcome"],
    registers,
  });
  const connections = new Gauge({
    name: "clavis_postgres_connections",
    help: "Connections to Postgres, and calls that wait for one.",
    labelNames: ["pool", "state"],
    registers,
    collect() {
      for (const [pool, { totalCount, idleCount, waitingCount }] of Object.entries(pools)) {
        connections.set({ pool, state: "busy" }, totalCount - idleCount);
        connections.set({ pool, state: "idle" }, idleCount);
        connections.set({ pool, state: "waiting" }, waitingCount);
      }
    },
  });

  if (redisUp !== undefined) {
    const up = new Gauge({
      name: "clavis_redis_up",
      help: "Whether Redis is there: 1 or 0.",
      // For all of several processes.
      aggregator: "min",
      registers,
      collect() {
        up.set(redisUp() ? 1 : 0);
      },
    });
  }

  return {
    call(method, code, duration) {
      seconds.observe({ method, code }, duration);
    },
    verdict(outcome) {
      verdicts.inc({ outcome });
    },
    async expose() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    snapshot: () => registry.getMetricsAsJSON(),
  };
}
