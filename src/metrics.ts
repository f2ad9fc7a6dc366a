import type { Outcome } from "@clavis/sdk/rules";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Manner } from "./coherence/pending-effects.ts";
import type { SharedCacheEvents } from "./redis/shared-cache.ts";
import { createCallTally, createTally } from "./tallies.ts";
import { SECOND_MS } from "./time.ts";
import type { Layer } from "./verify/cached-source.ts";
import type { Comparison } from "./verify/stale-check.ts";

/** What the service counts of itself. Labels have few values, and none comes from a caller. */
export interface Metrics {
  /** A call ended: `method` as `clavis.v1.KeyService/CreateKey`, `code` as `ok` or `not_found`. */
  call(method: string, code: string, seconds: number): void;
  verdict(outcome: Outcome): void;
  /** A secret was looked up, and this layer of the caches had the answer. */
  answered(layer: Layer): void;
  /** The change feed was polled. */
  polled(ok: boolean): void;
  /** What takes rights away was waited for. */
  tookEffect(manner: Manner, seconds: number): void;
  /** What became of readings that the replicas share through Redis. */
  readonly sharedCache: SharedCacheEvents;
  /** A sample of the cache was compared with Postgres. */
  compared(comparison: Comparison): void;
  /** How far Postgres's clock is ahead of this process's, at least. */
  clockAhead(ms: number): void;
  /** By their names. */
  observePools(pools: Readonly<Record<string, PoolCounts>>): void;
  observeCache(cache: CacheFacts): void;
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

/** What is asked of the caches whenever metrics are. */
export interface CacheFacts {
  readonly entries: () => number;
  readonly bytes: () => number;
  /** Whether they may answer. */
  readonly leased: () => boolean;
}

/** From a fast verify to the longest wait that a call may have. */
const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics({ redisUp }: { redisUp: (() => boolean) | undefined }): Metrics {
  let pools: Readonly<Record<string, PoolCounts>> = {};
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry });
  const calls = createCallTally(registry, {
    name: "clavis_rpc_seconds",
    help: "Calls answered and the time that they took, by method and status.",
    bounds: SECONDS_BUCKETS,
  });
  const verdicts = createTally<Outcome>(registry, {
    name: "clavis_verdicts_total",
    help: "Secrets decided on, by outcome.",
    label: "outcome",
  });
  const lookups = createTally<Layer>(registry, {
    name: "clavis_lookups_total",
    help: "Secrets looked up, by the layer that had the answer.",
    label: "layer",
  });
  const polls = new Counter({
    name: "clavis_feed_polls_total",
    help: "Polls of the change feed, by whether they were answered.",
    labelNames: ["result"],
    registers,
  });
  const effects = new Histogram({
    name: "clavis_effect_seconds",
    help: "How long what takes rights away was waited for: early by the replicas' word, at the bound, or not to the end (ahead).",
    labelNames: ["manner"],
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const clockAhead = new Gauge({
    name: "clavis_clock_ahead_seconds",
    help: "How far Postgres's clock is ahead of this process's, at least; negative if it is behind.",
    aggregator: "max",
    registers,
  });
  const sharedReads = new Counter({
    name: "clavis_l2_reads_total",
    help: "Secrets looked for in Redis, by what came of it.",
    labelNames: ["result"],
    registers,
  });
  const sharedDiscards = new Counter({
    name: "clavis_l2_discarded_total",
    help: "Values in Redis that were there and not believed, by what was wrong with them.",
    labelNames: ["reason"],
    registers,
  });
  const sharedWrites = new Counter({
    name: "clavis_l2_writes_total",
    help: "Values and tombstones for Redis, by what became of them.",
    labelNames: ["result"],
    registers,
  });
  const comparisons = new Counter({
    name: "clavis_cache_checks_total",
    help: "Samples of the cache that were compared with Postgres, by how they came out.",
    labelNames: ["result"],
    registers,
  });
  const staleAdmissions = new Counter({
    name: "clavis_stale_admissions_total",
    help: "Samples that the cache would have let in although Postgres had refused them for longer than any lease. Never grows.",
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
    answered: (layer) => lookups.count(layer),
    polled: (ok) => polls.inc({ result: ok ? "ok" : "failed" }),
    tookEffect: (manner, seconds) => effects.observe({ manner }, seconds),
    sharedCache: {
      onRead: (result) => sharedReads.inc({ result }),
      onDiscarded: (reason) => sharedDiscards.inc({ reason }),
      onWritten: (result) => sharedWrites.inc({ result }),
    },
    compared(comparison) {
      comparisons.inc({ result: comparison });
      if (comparison === "stale") staleAdmissions.inc();
    },
    clockAhead: (ms) => clockAhead.set(ms / SECOND_MS),
    observePools(named) {
      pools = named;
    },
    observeCache({ entries, bytes, leased }) {
      gauge("clavis_cache_entries", "Secrets in this process's cache.", "sum", entries);
      gauge("clavis_cache_bytes", "About how much memory they take.", "sum", bytes);
      gauge("clavis_cache_leased", "Whether the cache may answer: 1 or 0.", "min", () => (leased() ? 1 : 0));
    },
    call: (method, code, seconds) => calls.observe(method, code, seconds),
    verdict: (outcome) => verdicts.count(outcome),
    async expose() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    snapshot: () => registry.getMetricsAsJSON(),
  };

  function gauge(name: string, help: string, aggregator: "sum" | "min", value: () => number): void {
    const made: Gauge = new Gauge({
      name,
      help,
      aggregator,
      registers,
      collect() {
        made.set(value());
      },
    });
  }
}
