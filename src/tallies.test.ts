import fc from "fast-check";
import { AggregatorRegistry, Counter, Histogram, Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { createCallTally, createTally } from "./tallies.ts";

const bounds = [0.001, 0.01, 0.1];
const help = "of what is tried";

const observations = fc.array(
  fc.record({
    method: fc.constantFrom("a.A/One", "b.B/Two"),
    code: fc.constantFrom("ok", "not_found"),
    seconds: fc.oneof(fc.constantFrom(...bounds, 0, 1), fc.double({ min: 0, max: 0.2, noNaN: true })),
  }),
);

function byTally(registry: Registry) {
  const calls = createCallTally(registry, { name: "seconds", help, bounds });
  const codes = createTally<string>(registry, { name: "codes_total", help, label: "code" });
  return (one: { method: string; code: string; seconds: number }) => {
    calls.observe(one.method, one.code, one.seconds);
    codes.count(one.code);
  };
}

function byProm(registry: Registry) {
  const registers = [registry];
  const calls = new Histogram({ name: "seconds", help, buckets: bounds, labelNames: ["method", "code"], registers });
  const codes = new Counter({ name: "codes_total", help, labelNames: ["code"], registers });
  return ({ method, code, seconds }: { method: string; code: string; seconds: number }) => {
    calls.observe({ method, code }, seconds);
    codes.inc({ code });
  };
}

describe("tallies", () => {
  it("come to the lines that prom-client writes, each time that they are asked for", async () => {
    await fc.assert(
      fc.asyncProperty(observations, async (some) => {
        const [ours, theirs] = [new Registry(), new Registry()];
        const [count, countThere] = [byTally(ours), byProm(theirs)];
        for (const one of some) {
          count(one);
          countThere(one);
        }
        expect(sorted(await ours.metrics())).toEqual(sorted(await theirs.metrics()));
        expect(sorted(await ours.metrics())).toEqual(sorted(await theirs.metrics()));
      }),
    );
  });

  it("add up over processes", async () => {
    const registries = [new Registry(), new Registry()];
    for (const registry of registries) byTally(registry)({ method: "a.A/One", code: "ok", seconds: 0.05 });
    const all = AggregatorRegistry.aggregate(await Promise.all(registries.map((one) => one.getMetricsAsJSON())));
    const text = await all.metrics();
    expect(text).toContain('seconds_bucket{le="0.01",method="a.A/One",code="ok"} 0');
    expect(text).toContain('seconds_bucket{le="0.1",method="a.A/One",code="ok"} 2');
    expect(text).toContain('seconds_count{method="a.A/One",code="ok"} 2');
    expect(text).toContain('codes_total{code="ok"} 2');
  });
});

/** Which series comes first says nothing. */
function sorted(text: string): readonly string[] {
  return text.split("\n").toSorted();
}
