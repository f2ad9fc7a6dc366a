import type { TestService } from "./service.ts";

/** What a service counts under `name`, labels included, such as `clavis_lookups_total{layer="memory"}`. 0 if it is not there yet. */
export async function metricOf({ operationsUrl }: Pick<TestService, "operationsUrl">, name: string): Promise<number> {
  const text = await (await fetch(`${operationsUrl}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}
