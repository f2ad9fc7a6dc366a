import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { openRedis } from "../../src/redis/connection.ts";
import { slotOf } from "../../src/redis/key-slot.ts";
import { createMac } from "../../src/redis/mac.ts";
import { createNames } from "../../src/redis/names.ts";
import { deriveKey, newRootKey } from "../../src/root-keys.ts";
import { Secret } from "../../src/secret.ts";
import { A_TIMELINE, aDigest, aReading } from "../harness/a-reading.ts";
import { startOnFreePort } from "../harness/bound-process.ts";
import { createCertificate } from "../harness/certificate.ts";
import { type OwnRedis, openOwnRedis, openRedisCluster } from "../harness/redis.ts";
import { openRedisParts, type RedisParts } from "../harness/redis-parts.ts";
import { openTcpProxy } from "../harness/tcp-proxy.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { atOnce } from "../harness/turns.ts";
import { until } from "../harness/until.ts";

const nothing = new Map();
let digests = 0;
const newDigest = () => aDigest(digests++);

async function keepOne({ cache, written }: RedisParts): Promise<string> {
  const digest = newDigest();
  cache.keep(digest, aReading());
  await written();
  return digest;
}

async function finds({ cache }: RedisParts, digest: string): Promise<boolean> {
  return (await cache.find(A_TIMELINE, [digest])).size === 1;
}

/** Resolves when what is kept is found again. */
async function works(parts: RedisParts): Promise<void> {
  await until("what is kept is found", async () => await finds(parts, await keepOne(parts)));
}

describe("one Redis", () => {
  it("costs one budget when it hangs, nothing from then on, and is back when it goes on", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using parts = await openRedisParts(redis.url);
    const digest = await keepOne(parts);
    redis.pause();
    const asked = Array.from({ length: 20 }, () => parts.cache.find(A_TIMELINE, [digest]));
    expect(await Promise.all(asked)).toEqual(asked.map(() => nothing));
    expect(parts.redis.up()).toBe(false);
    for (let time = 0; time < 20; time++) {
      parts.cache.keep(newDigest(), aReading());
      parts.bulletin.announce();
      expect(await atOnce(parts.cache.find(A_TIMELINE, [digest]))).toEqual(nothing);
      expect(await atOnce(parts.bulletin.published(["member"]))).toEqual(nothing);
    }
    expect(parts.count("read away")).toBe(40);
    expect(parts.count("written dropped")).toBe(20);
    await until("it is told", () => parts.logged.join("").includes("redis is away"));
    redis.resume();
    await until("it is found again", () => finds(parts, digest));
  });

  it("is done without while it is gone, and found again when it is back, empty", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using parts = await openRedisParts(redis.url);
    const digest = await keepOne(parts);
    await redis.stop();
    await until("that is known", () => !parts.redis.up());
    expect(await atOnce(parts.cache.find(A_TIMELINE, [digest]))).toEqual(nothing);
    await redis.start();
    await until("it is back", () => parts.redis.up());
    expect(await finds(parts, digest)).toBe(false);
    await works(parts);
    expect(parts.logged.map((line) => JSON.parse(line).msg)).toEqual([
      "redis is there",
      "redis is away; nothing depends on it",
      "redis is there",
    ]);
  });

  it("is given no second question on a connection over which an answer came late", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using proxy = await openTcpProxy({ port: redis.port });
    await using parts = await openRedisParts(`redis://127.0.0.1:${proxy.port}`);
    const digest = await keepOne(parts);
    const before = proxy.accepted;
    const late: (() => void)[] = [];
    proxy.answer((piece, passOn) => late.push(() => passOn(piece)));
    expect(await parts.cache.find(A_TIMELINE, [digest])).toEqual(nothing);
    expect(parts.redis.up()).toBe(false);
    proxy.answer((piece, passOn) => passOn(piece));
    expect(late).toHaveLength(1);
    for (const arrive of late) arrive();
    await until("it is found over another connection", () => finds(parts, digest));
    expect(proxy.accepted).toBe(before + 1);
  });

  it("is not listened to any more once it has said what nobody asked for", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using proxy = await openTcpProxy({ port: redis.port });
    await using parts = await openRedisParts(`redis://127.0.0.1:${proxy.port}`);
    await works(parts);
    const before = proxy.accepted;
    proxy.answer((piece, passOn) => passOn(Buffer.concat([piece, Buffer.from("+OK\r\n")])));
    await keepOne(parts);
    proxy.answer((piece, passOn) => passOn(piece));
    await until("another connection is there", () => proxy.accepted > before);
    await works(parts);
  });

  it("is left to rest when it shakes hands and then is slow", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using proxy = await openTcpProxy({ port: redis.port });
    await using parts = await openRedisParts(`redis://127.0.0.1:${proxy.port}`);
    const digest = await keepOne(parts);
    // Values do not come through, whatever else does.
    proxy.answer((piece, passOn) => {
      if (!piece.includes("documents.read")) passOn(piece);
    });
    expect(await finds(parts, digest)).toBe(false);
    await until("another connection is there", () => parts.redis.up());
    for (let time = 0; time < 20; time++) {
      expect(await atOnce(parts.cache.find(A_TIMELINE, [digest]))).toEqual(nothing);
    }
    proxy.answer((piece, passOn) => passOn(piece));
    await until("it is found again", () => finds(parts, digest));
  });

  it("is left when it says that it is a primary no more", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using proxy = await openTcpProxy({ port: redis.port });
    await using parts = await openRedisParts(`redis://127.0.0.1:${proxy.port}`);
    await works(parts);
    const before = proxy.accepted;
    await redis.client.replicaof("127.0.0.1", 1);
    parts.cache.keep(newDigest(), aReading());
    await parts.written();
    expect(parts.count("written failed")).toBe(1);
    await until("another connection is there", () => proxy.accepted > before && parts.redis.up());
    await redis.client.replicaof("NO", "ONE");
    await works(parts);
  });

  it("that wants a password is not there for who has another one", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using parts = await openRedisParts(redis.url);
    await redis.client.config("SET", "requirepass", "right");
    await redis.client.call("CLIENT", "KILL", "TYPE", "normal");
    await until("it has been refused", () => !parts.redis.up());
    expect(await atOnce(parts.cache.find(A_TIMELINE, [newDigest()]))).toEqual(nothing);
    await using admitted = await openRedisParts(`redis://:right@127.0.0.1:${redis.port}`);
    await works(admitted);
    expect(parts.logged.join("")).not.toContain("right");
  });

  it("needs to allow no more than the documentation says", async ({ skip }) => {
    await using cluster = (await openRedisCluster()) ?? skip("no redis");
    const text = await readFile(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
    const [rules = "", more = ""] = Array.from(
      text.matchAll(/`((?:~clavis|\+cluster)[^`]*)`/g),
      ([, words]) => words ?? "",
    );
    const [alone, ...others] = [await openOwnRedis(), ...cluster.nodes];
    await using single = alone ?? skip("no redis");
    for (const { client } of [single, ...others]) {
      const all = client === single.client ? rules : `${rules} ${more}`;
      await client.call("ACL", "SETUSER", "clavis", "on", ">pass", ...all.split(" "));
    }
    for (const url of [single.url, `${cluster.nodes[0]?.url}?cluster=true`]) {
      await using parts = await openRedisParts(url.replace("//", "//clavis:pass@"));
      await works(parts);
      const member = randomUUID();
      await until("a position has come", async () => {
        parts.bulletin.publish(member, aReading().position);
        return (await parts.bulletin.published([member])).size === 1;
      });
      let heard = 0;
      parts.bulletin.onAnnounced(() => {
        heard += 1;
      });
      await until("it hears", () => {
        parts.bulletin.announce();
        return heard > 0;
      });
    }
    for (const { client } of [single, ...others]) expect(await client.acl("LOG")).toEqual([]);
  });

  it("is spoken to over TLS, if its certificate is good", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using folder = await openTemporaryFolder();
    const { cert, key } = createCertificate("localhost");
    const [certFile, keyFile] = [join(folder.path, "cert"), join(folder.path, "key")];
    await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
    const port = await startOnFreePort(async (candidate) => {
      const options = {
        "tls-cert-file": certFile,
        "tls-key-file": keyFile,
        "tls-auth-clients": "no",
        "tls-port": candidate,
      };
      await redis.client.config("SET", ...Object.entries(options).flat());
      return candidate;
    });
    const url = `rediss://localhost:${port}`;
    const logged: string[] = [];
    const refused = openRedis(new Secret(url), createLog("info", { write: (line) => void logged.push(line) }));
    await until("it is refused", () => logged.join("").includes("redis is away"));
    await refused[Symbol.asyncDispose]();

    const before = getCACertificates("default");
    setDefaultCACertificates([...before, cert]);
    try {
      await using parts = await openRedisParts(url);
      await works(parts);
    } finally {
      setDefaultCACertificates(before);
    }
  });
});

describe("hints", () => {
  it("are heard again after the connection for them has broken, and whatever was missed is made up for", async ({
    skip,
  }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using parts = await openRedisParts(redis.url);
    let heard = 0;
    parts.bulletin.onAnnounced(() => {
      heard += 1;
    });
    await until("it listens", async () => {
      parts.bulletin.announce();
      return heard > 0;
    });
    const before = heard;
    await redis.client.call("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it has heard that it may have missed something", () => heard > before);
    const between = heard;
    parts.bulletin.announce();
    await until("it hears", () => heard > between);
  });

  it("are heard again after that connection has died without a word", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using proxy = await openTcpProxy({ port: redis.port });
    await using parts = await openRedisParts(`redis://127.0.0.1:${proxy.port}`);
    await until("it listens", async () => (await redis.client.pubsub("CHANNELS")).length > 0);
    // Only what was asked for comes through: pings of it do not.
    let silent = true;
    proxy.answer((piece, passOn) => {
      if (!silent || !piece.includes("pong")) passOn(piece);
    });
    const before = proxy.accepted;
    await until("another connection is there", () => proxy.accepted > before);
    silent = false;
    let heard = 0;
    parts.bulletin.onAnnounced(() => {
      heard += 1;
    });
    await until("it hears", () => {
      parts.bulletin.announce();
      return heard > 0;
    });
  });

  it("reach those who know only the old root key, and come from them, while it is exchanged", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    const [old, fresh] = [newRootKey("old"), newRootKey("fresh")];
    await using before = await openRedisParts(redis.url, { rootKey: old });
    await using after = await openRedisParts(redis.url, { rootKey: fresh, formerRootKeys: [old] });
    await using stranger = await openRedisParts(redis.url);
    const heard = { before: 0, after: 0 };
    for (const [name, { bulletin }] of Object.entries({ before, after }) as [keyof typeof heard, RedisParts][]) {
      bulletin.onAnnounced(() => {
        heard[name] += 1;
      });
    }
    const member = randomUUID();
    for (const [speaker, listener] of [
      [before, after],
      [after, before],
    ] as const) {
      await until("both hear it", () => {
        speaker.bulletin.announce();
        return heard.before > 0 && heard.after > 0;
      });
      const position = { ...aReading().position, timeline: randomUUID() };
      speaker.bulletin.publish(member, position);
      await until("the other one knows", async () => {
        const told = await listener.bulletin.published([member]);
        return told.get(member)?.timeline === position.timeline;
      });
      heard.before = 0;
      heard.after = 0;
    }
    expect(await stranger.bulletin.published([member])).toEqual(nothing);
  });

  it("of positions are believed as their member has given them alone", async ({ skip }) => {
    await using redis = (await openOwnRedis()) ?? skip("no redis");
    await using parts = await openRedisParts(redis.url);
    const [one, other] = [randomUUID(), randomUUID()];
    const nameOf = (member: string) => createNames(parts.rootKey).ofMember(member);
    const { position } = aReading();
    parts.bulletin.publish(one, position);
    const value = await until("it is there", async () => (await redis.client.getBuffer(nameOf(one))) ?? undefined);
    await redis.client.set(nameOf(other), value);
    expect(await parts.bulletin.published([one, other])).toEqual(new Map([[one, position]]));
    for (const [index, byte] of value.entries()) {
      const changed = Buffer.from(value);
      changed[index] = byte ^ 1;
      await redis.client.set(nameOf(one), changed);
      expect(await parts.bulletin.published([one])).toEqual(nothing);
    }
    const mac = createMac(deriveKey(parts.rootKey, "shared-cache"));
    for (const text of ["", " ", "a 1:2:", "a 1:9:"]) {
      await redis.client.set(nameOf(one), text + mac.of(`${one} ${text}`));
      expect(await parts.bulletin.published([one])).toEqual(nothing);
    }
  });
});

describe("a Cluster", () => {
  it("is there but for what is on a node that hangs", { timeout: 90_000 }, async ({ skip }) => {
    await using cluster = (await openRedisCluster()) ?? skip("no redis");
    const [first, second] = cluster.nodes as readonly [OwnRedis, OwnRedis];
    await using parts = await openRedisParts(`${first.url}?cluster=true`);
    const kept = Array.from({ length: 60 }, newDigest);
    await until("all nodes are there", async () => {
      for (const digest of kept) parts.cache.keep(digest, aReading());
      await parts.written();
      return (await parts.cache.find(A_TIMELINE, kept)).size === kept.length;
    });
    const names = createNames(parts.rootKey);
    const elsewhere = kept.filter((digest) => {
      const slot = slotOf(names.ofReading(names.tagOf(A_TIMELINE, digest)));
      return slot < Math.floor(16_384 / 3) || slot >= Math.floor((2 * 16_384) / 3);
    });
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.length).toBeLessThan(kept.length);
    second.pause();
    await until("but what is there is found", async () => {
      const found = await parts.cache.find(A_TIMELINE, kept);
      return found.size === elsewhere.length && elsewhere.every((digest) => found.has(digest));
    });
    expect(parts.redis.up()).toBe(true);
    second.resume();
    // A node that was taken for dead has to be taken back by the others first, and each failure has made the rest before the next try longer.
    const isWhole = async () => (await parts.cache.find(A_TIMELINE, kept)).size === kept.length;
    await until("all are found", isWhole, 45_000);
  });

  it("is there, and stays there, whoever was asked first and answered first", async ({ skip }) => {
    await using cluster = (await openRedisCluster()) ?? skip("no redis");
    for (let time = 0; time < 60; time++) {
      const { url } = cluster.nodes[time % 3] as OwnRedis;
      await using parts = await openRedisParts(`${url}?cluster=true`);
      await works(parts);
      expect(parts.logged.map((line) => JSON.parse(line).msg)).toEqual(["redis is there"]);
    }
  });

  it("is followed when a slot moves", async ({ skip }) => {
    await using cluster = (await openRedisCluster()) ?? skip("no redis");
    const [first, second] = cluster.nodes as readonly [OwnRedis, OwnRedis];
    await using parts = await openRedisParts(`${first.url}?cluster=true`);
    const names = createNames(parts.rootKey);
    const digest = await until("one is on the first node", async () => {
      const candidate = newDigest();
      const name = names.ofReading(names.tagOf(A_TIMELINE, candidate));
      expect(await first.client.cluster("KEYSLOT", name)).toBe(slotOf(name));
      return slotOf(name) < 5000 && candidate;
    });
    const slot = slotOf(names.ofReading(names.tagOf(A_TIMELINE, digest)));
    const to = `${await second.client.cluster("MYID")}`;
    for (const { client } of [second, first]) await client.cluster("SETSLOT", slot, "NODE", to);
    await until("it is kept where the slot is now", async () => {
      parts.cache.keep(digest, aReading());
      await parts.written();
      return await finds(parts, digest);
    });
    expect(await second.client.cluster("COUNTKEYSINSLOT", slot)).toBe(1);
  });

  it("is told of where its URL does not say that it is one", async ({ skip }) => {
    await using cluster = (await openRedisCluster()) ?? skip("no redis");
    await using parts = await openRedisParts(cluster.nodes[0]?.url ?? "");
    await parts.cache.find(A_TIMELINE, [newDigest(), newDigest(), newDigest()]);
    await until("it is told", () => parts.logged.join("").includes("redis is a Cluster"));
  });
});
