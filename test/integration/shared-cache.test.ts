import { afterAll, describe, expect, it } from "vitest";
import { createMac } from "../../src/redis/mac.ts";
import { createNames } from "../../src/redis/names.ts";
import { writeReading } from "../../src/redis/reading-text.ts";
import { VALUE_BYTES_MAX } from "../../src/redis/sealed-value.ts";
import { deriveKey } from "../../src/root-keys.ts";
import { MINUTE_MS, SECOND_MS } from "../../src/time.ts";
import { A_TIMELINE, aDigest, aReading } from "../harness/a-reading.ts";
import { openOwnRedis } from "../harness/redis.ts";
import { openRedisParts, type RedisParts } from "../harness/redis-parts.ts";
import { until } from "../harness/until.ts";

const stack = new AsyncDisposableStack();
const redis = await openOwnRedis();
if (redis !== undefined) stack.use(redis);

afterAll(() => stack.disposeAsync());

/** With time for answers: what is tried here is not whether they come soon. */
const openParts = (url: string) => openRedisParts(url, { budgetMs: 10 * SECOND_MS });

const nothing = new Map();
let digests = 0;
const newDigest = () => aDigest(digests++);

describe.runIf(redis !== undefined)("the shared cache in Redis", () => {
  if (redis === undefined) return;
  const { client } = redis;

  /** Where the reading of a digest is. */
  function nameOf({ rootKey }: RedisParts, digest: string): string {
    const names = createNames(rootKey);
    return names.ofReading(names.tagOf(A_TIMELINE, digest));
  }

  async function keepOne(parts: RedisParts): Promise<{ digest: string; name: string; value: Buffer }> {
    const digest = newDigest();
    parts.cache.keep(digest, aReading());
    await parts.written();
    const name = nameOf(parts, digest);
    const value = await client.getBuffer(name);
    if (value === null) throw new Error("nothing was kept");
    return { digest, name, value };
  }

  it("says nothing of secrets, and ends everything in time", async () => {
    await client.flushall();
    await using parts = await openParts(redis.url);
    const digest = "0123456789abcdef".repeat(4);
    parts.cache.keep(digest, aReading());
    parts.cache.bury(A_TIMELINE, newDigest(), 7);
    parts.bulletin.publish("member", aReading().position);
    const names = await until("all is there", async () => {
      const found = await client.keys("*");
      return found.length === 3 && found;
    });
    for (const name of names) {
      expect(`${name} ${await client.get(name)}`).not.toContain(digest.slice(0, 16));
      const left = await client.pttl(name);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(13 * MINUTE_MS);
    }
    const lives = await Promise.all(names.map((name) => client.pttl(name)));
    // A tombstone outlives whatever was read before it.
    expect(Math.max(...lives)).toBeGreaterThan(12.5 * MINUTE_MS);
  });

  it("does not let what is kept together go together", async () => {
    await using parts = await openParts(redis.url);
    const kept = Array.from({ length: 50 }, newDigest);
    for (const digest of kept) parts.cache.keep(digest, aReading());
    await parts.written();
    const lives = await Promise.all(kept.map((digest) => client.pttl(nameOf(parts, digest))));
    for (const life of lives) {
      expect(life).toBeGreaterThan(7.5 * MINUTE_MS);
      expect(life).toBeLessThanOrEqual(12 * MINUTE_MS);
    }
    expect(Math.max(...lives) - Math.min(...lives)).toBeGreaterThan(MINUTE_MS);
  });

  it("keeps deployments apart that share a Redis", async () => {
    await using one = await openParts(redis.url);
    await using other = await openParts(redis.url);
    const { digest } = await keepOne(one);
    expect((await one.cache.find(A_TIMELINE, [digest])).size).toBe(1);
    expect(await other.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
  });

  it("discards a value of which a bit was changed, removes it, and ends the connection that it came over", async () => {
    await using parts = await openParts(redis.url);
    const { digest, name, value } = await keepOne(parts);
    const before = await clients();
    value.writeUInt8((value.at(300) ?? 0) ^ 1, 300);
    await client.set(name, value);
    expect(await parts.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
    expect(parts.count("discarded mac")).toBe(1);
    await until("it is removed", async () => (await client.exists(name)) === 0);
    await until("another connection is there", async () => {
      const now = await clients();
      return parts.redis.up() && before.some((id) => !now.includes(id));
    });
    parts.cache.keep(digest, aReading());
    await parts.written();
    expect((await parts.cache.find(A_TIMELINE, [digest])).size).toBe(1);
  });

  it("discards a value that stands at another one's name", async () => {
    await using parts = await openParts(redis.url);
    const { digest } = await keepOne(parts);
    const { value } = await keepOne(parts);
    await client.set(nameOf(parts, digest), value);
    expect(await parts.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
    expect(parts.count("discarded name")).toBe(1);
  });

  it("discards what is larger than anything it keeps, and keeps nothing so large", async () => {
    await using parts = await openParts(redis.url);
    const digest = newDigest();
    parts.cache.keep(digest, aReading(1, { metadata: { note: "é".repeat(VALUE_BYTES_MAX / 2) } }));
    await parts.written();
    expect(parts.count("written too_large")).toBe(1);
    await client.set(nameOf(parts, digest), "x".repeat(VALUE_BYTES_MAX + 1));
    expect(await parts.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
    expect(parts.count("discarded size")).toBe(1);
  });

  it("discards what it sealed itself in another form, as another version of it may have", async () => {
    await using parts = await openParts(redis.url);
    const names = createNames(parts.rootKey);
    const mac = createMac(deriveKey(parts.rootKey, "shared-cache"));
    const digest = newDigest();
    const tag = names.tagOf(A_TIMELINE, digest);
    const good = writeReading(aReading());
    const [timeline, snapshot, rows] = JSON.parse(good);
    const forms = [
      `r2 ${tag} ${good}`,
      `r1 ${tag} {}`,
      `r1 ${tag} []`,
      `r1 ${tag} `,
      `r1 ${tag} null`,
      `r1  ${good}`,
      `x1 ${tag} ${good}`,
      `r1 ${tag} ${JSON.stringify([timeline, "1:2", rows])}`,
      `r1 ${tag} ${JSON.stringify([timeline, snapshot, []])}`,
      `r1 ${tag} ${JSON.stringify([timeline, snapshot, [[]]])}`,
      `r1 ${tag} ${JSON.stringify([timeline, snapshot, [{}]])}`,
      `r1 ${tag} ${JSON.stringify([timeline, snapshot, rows, 1])}`,
      ...rows[0].map((_: unknown, index: number) => {
        return `r1 ${tag} ${JSON.stringify([timeline, snapshot, [rows[0].with(index, { id: 7 })]])}`.replace(
          '{"id":7}',
          "7.5",
        );
      }),
    ];
    // A number is right in the four fields that are times.
    const times = 4;
    for (const form of forms) {
      await client.set(nameOf(parts, digest), form + mac.of(form));
      await parts.cache.find(A_TIMELINE, [digest]);
    }
    expect(forms.length).toBeGreaterThan(30);
    expect(parts.count("discarded form")).toBe(forms.length - times);
    expect(parts.count("read hit")).toBe(times);
  });

  it("takes what is of another type for nothing, and puts its own in its place", async () => {
    await using parts = await openParts(redis.url);
    const digest = newDigest();
    await client.lpush(nameOf(parts, digest), "a", "b");
    expect(await parts.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
    parts.cache.keep(digest, aReading());
    await parts.written();
    expect((await parts.cache.find(A_TIMELINE, [digest])).size).toBe(1);

    const buried = newDigest();
    await client.sadd(nameOf(parts, buried), "a");
    parts.cache.bury(A_TIMELINE, buried, 3);
    await parts.written();
    expect(await client.get(nameOf(parts, buried))).toBe("t3 ");
  });

  it("finds nothing after FLUSHALL, and goes on; its scripts may be forgotten as well", async () => {
    await using parts = await openParts(redis.url);
    const { digest } = await keepOne(parts);
    await client.flushall();
    await client.script("FLUSH");
    expect(await parts.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
    await keepOne(parts);
    expect(parts.count("written kept")).toBe(2);
  });

  it("drops what is written faster than Redis takes it", async () => {
    await using parts = await openParts(redis.url);
    for (let count = 0; count < 3000; count++) parts.cache.keep(newDigest(), aReading());
    await parts.written();
    expect(parts.count("written kept")).toBe(1000);
    expect(parts.count("written dropped")).toBe(2000);
  });

  /** The ids of all connections to this Redis. */
  async function clients(): Promise<string[]> {
    const list = String(await client.client("LIST"));
    return Array.from(list.matchAll(/^id=(\d+)/gm), ([, id]) => id ?? "");
  }
});
