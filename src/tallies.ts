import { Counter, type Histogram, type Registry } from "prom-client";

/*
 * Counts for the hot path. prom-client makes objects and a text of the labels for each thing that it counts, which is more than
 * the work that is counted; these are put into its terms when somebody asks for them.
 */

/** Counts by the value of one label, out of a few. */
export interface Tally<Value extends string> {
  count(value: Value): void;
}

export function createTally<Value extends string>(
  registry: Registry,
  { name, help, label }: { name: string; help: string; label: string },
): Tally<Value> {
  const counts = new Map<Value, number>();
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of counts) this.inc({ [label]: value }, count);
    },
  });
  return {
    count: (value) => void counts.set(value, (counts.get(value) ?? 0) + 1),
  };
}

/** Durations of calls, by method and status. */
export interface CallTally {
  /** `seconds` is finite. */
  observe(method: string, code: string, seconds: number): void;
}

interface Series {
  /** How many lay within each bound and above the one before; those beyond all bounds are in `count` alone. */
  readonly within: number[];
  sum: number;
  count: number;
}

/** A histogram. `bounds` ascend, in seconds. */
export function createCallTally(
  registry: Registry,
  { name, help, bounds }: { name: string; help: string; bounds: readonly number[] },
): CallTally {
  const methods = new Map<string, Map<string, Series>>();

  function seriesOf(method: string, code: string): Series {
    const known = methods.get(method)?.get(code);
    if (known !== undefined) return known;
    const series = { within: bounds.map(() => 0), sum: 0, count: 0 };
    const codes = methods.get(method) ?? new Map<string, Series>();
    methods.set(method, codes.set(code, series));
    return series;
  }

  async function get() {
    const values = [...methods].flatMap(([method, codes]) =>
      [...codes].flatMap(([code, series]) => exposed(name, bounds, { method, code }, series)),
    );
    return { name, help, type: "histogram", values, aggregator: "sum" };
  }

  // All that a registry asks of a metric.
  registry.registerMetric({ name, get } as unknown as Histogram);

  return {
    observe(method, code, seconds) {
      const series = seriesOf(method, code);
      series.sum += seconds;
      series.count += 1;
      const index = bounds.findIndex((bound) => seconds <= bound);
      if (index !== -1) series.within[index] = (series.within[index] ?? 0) + 1;
    },
  };
}

/** As prom-client writes histograms: each bucket holds what the ones before it do. */
function exposed(
  name: string,
  bounds: readonly number[],
  labels: Readonly<Record<string, string>>,
  { within, sum, count }: Series,
) {
  let held = 0;
  const buckets = bounds.map((le, index) => {
    held += within[index] ?? 0;
    return { labels: { le, ...labels }, value: held, metricName: `${name}_bucket` };
  });
  return [
    ...buckets,
    { labels: { le: "+Inf", ...labels }, value: count, metricName: `${name}_bucket` },
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
