import { AggregatorRegistry, Counter, Gauge, Registry } from "prom-client";
import type { Exposition, MetricsSnapshot } from "../metrics.ts";

/** What several workers count, as one service. */
export interface CombinedMetrics {
  /** Keeps what an ended worker has counted, so that no total ever falls: Prometheus would take that for a restart of all. */
  keep(counted: MetricsSnapshot): void;
  replaced(): void;
  expose(counted: readonly MetricsSnapshot[]): Promise<Exposition>;
}

/** What goes on to count after its process has ended. A gauge says how things are, and of a dead worker they are not. */
const LASTING = new Set<unknown>(["counter", "histogram"]);

export function createCombinedMetrics(crew: {
  readonly running: () => number;
  readonly ready: () => number;
}): CombinedMetrics {
  const own = new Registry();
  const workers = new Gauge({
    name: "clavis_workers",
    help: "Worker processes: that run, and of those, that want calls.",
    labelNames: ["state"],
    registers: [own],
    collect() {
      workers.set({ state: "running" }, crew.running());
      workers.set({ state: "ready" }, crew.ready());
    },
  });
  const replacements = new Counter({
    name: "clavis_worker_replacements_total",
    help: "Worker processes that ended although nobody stopped the service, and were replaced.",
    registers: [own],
  });
  let kept: Promise<MetricsSnapshot> = Promise.resolve([]);

  return {
    keep(counted) {
      kept = kept.then(async (before) => {
        const sum = await AggregatorRegistry.aggregate([before, counted]).getMetricsAsJSON();
        return sum.filter(({ type }) => LASTING.has(type));
      });
    },
    replaced: () => replacements.inc(),
    async expose(counted) {
      const all = [await own.getMetricsAsJSON(), ...counted, await kept];
      const registry = AggregatorRegistry.aggregate(all);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
