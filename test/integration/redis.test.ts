import { createHash } from "node:crypto";
import { createClavis, Outcome } from "@clavis/sdk";
import { expect, it } from "vitest";
import { metricOf } from "../harness/metric-of.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openOwnRedis } from "../harness/redis.ts";
import { openTestService, testEnvironment } from "../harness/service.ts";
import { openTenant } from "../harness/tenant.ts";
import { until } from "../harness/until.ts";

it("says whether redis is there, and goes on without it", async ({ skip }) => {
  await using redis = (await openOwnRedis()) ?? skip("no redis");
  await using service = await openTestService({ env: { CLAVIS_REDIS_URL: redis.url } });
  await until("redis is there", async () => (await metricOf(service, "clavis_redis_up")) === 1);
  await redis.stop();
  await until("redis is away", async () => (await metricOf(service, "clavis_redis_up")) === 0);

  const { token } = await service.newTenant();
  await using clavis = createClavis({ baseUrl: service.url, token });
  const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
  expect(keyspace.prefix).toBe("acme_live");
});

it("lets a replica answer by what another one has read, and by nothing that was revoked", async ({ skip }) => {
  await using redis = (await openOwnRedis()) ?? skip("no redis");
  await using database = await openTestDatabase();
  const env = { ...testEnvironment(database.url), CLAVIS_REDIS_URL: redis.url };
  await using one = await openTestService({ database, env });
  await using other = await openTestService({ database, env });
  for (const service of [one, other]) {
    await until("it may believe caches", async () => (await metricOf(service, "clavis_cache_leased")) === 1);
    await until("redis is there", async () => (await metricOf(service, "clavis_redis_up")) === 1);
  }
  await using tenant = await openTenant(one);
  const { clavis, keyspaceId, token } = tenant;
  const neighbour = tenant.clientFor(token, other.url);

  const shared = 'clavis_lookups_total{layer="shared"}';
  // What one has read is kept a moment later, and believed once the other one has come as far.
  const { key, secret } = await until("the other replica answers by it", async () => {
    const made = await clavis.keys.create({ keyspaceId, displayName: "First", permissions: ["documents.read"] });
    expect((await clavis.verify({ keyspaceId, secret: made.secret })).outcome).toBe(Outcome.VALID);
    const before = await metricOf(other, shared);
    const verdict = await neighbour.verify({ keyspaceId, secret: made.secret, permissions: ["documents.read"] });
    expect(verdict.outcome).toBe(Outcome.VALID);
    return (await metricOf(other, shared)) > before && made;
  });

  await clavis.keys.revoke(key.id);
  for (const client of [clavis, neighbour]) {
    expect((await client.verify({ keyspaceId, secret })).outcome).toBe(Outcome.REVOKED);
  }

  const digest = createHash("sha256").update(secret).digest();
  const names = await redis.client.keys("*");
  expect(names.length).toBeGreaterThan(1);
  for (const name of names) {
    const text = `${name} ${await redis.client.get(name)}`;
    for (const form of [
      secret,
      token,
      digest.toString("hex"),
      digest.toString("base64"),
      digest.toString("base64url"),
    ]) {
      expect(text).not.toContain(form);
    }
  }
});
