import type { Layer } from "../../src/verify/cached-source.ts";
import type { Service } from "./contest.ts";

/** Look-ups of secrets that a service has made, by the layer that had the answer. */
export type Lookups = ReadonlyMap<string, number>;

export async function lookupsOf({ operationsUrl = "" }: Service): Promise<Lookups> {
  const metrics = await (await fetch(`${operationsUrl}/metrics`)).text();
  const lines = metrics.matchAll(/^clavis_lookups_total\{layer="(\w+)"\} (\d+)/gm);
  return new Map([...lines].map(([, layer = "", count]) => [layer, Number(count)]));
}

/**
 * Of all look-ups, each Verify makes one for its caller, which the memory of the process has, and one for the secret that it decides on.
 * So nearly half of them are at the layer that is to be measured, if it is that one which is measured.
 */
const NEARLY_HALF = 0.45;

/** Throws unless nearly all secrets that were decided on since came from `layer`. */
export async function mustComeFrom(layer: Exclude<Layer, "memory">, service: Service, since: Lookups): Promise<void> {
  const now = await lookupsOf(service);
  const grown = [...now].map(([name, count]): [string, number] => [name, count - (since.get(name) ?? 0)]);
  const total = grown.reduce((sum, [, count]) => sum + count, 0);
  const there = new Map(grown).get(layer) ?? 0;
  if (!(there >= NEARLY_HALF * total)) throw new Error(`of ${total} look-ups only ${there} got to the layer ${layer}`);
}
