import { createClavis } from "@clavis/sdk";
import { expect, it } from "vitest";
import { openRedis } from "../harness/redis.ts";
import { openTestService } from "../harness/service.ts";
import { until } from "../harness/until.ts";

it("says whether redis is there, and goes on without it", async ({ skip }) => {
  const redis = await openRedis();
  if (redis === undefined) return skip("no redis");
  await using service = await openTestService({ env: { CLAVIS_REDIS_URL: redis.url } });
  await until("redis is there", async () => (await metric(service.operationsUrl)) === "1");
  await redis[Symbol.asyncDispose]();
  await until("redis is away", async () => (await metric(service.operationsUrl)) === "0");

  const { token } = await service.newTenant();
  await using clavis = createClavis({ baseUrl: service.url, token });
  const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
  expect(keyspace.prefix).toBe("acme_live");
});

async function metric(url: string): Promise<string | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return /^clavis_redis_up (\d)$/m.exec(text)?.[1];
}
