import { randomInt } from "node:crypto";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { createMac, MAC_BYTES } from "../../src/redis/mac.ts";
import { createNames } from "../../src/redis/names.ts";
import { writeReading } from "../../src/redis/reading-text.ts";
import { openValue, sealValue } from "../../src/redis/sealed-value.ts";
import { deriveKey, newRootKey } from "../../src/root-keys.ts";
import { MINUTE_MS } from "../../src/time.ts";
import type { Reading } from "../../src/verify/known-secret.ts";
import { A_TIMELINE, aDigest, aReading, readings } from "../harness/a-reading.ts";
import { createPrng, type Prng } from "../harness/prng.ts";
import { openOwnRedis } from "../harness/redis.ts";
import { openRedisParts } from "../harness/redis-parts.ts";
import { openTcpProxy, type Via } from "../harness/tcp-proxy.ts";
import { until } from "../harness/until.ts";

/** Values that are tried, and answers that are garbled. `L2_FUZZ_CASES=1000000` for the long run. */
const CASES = Number(process.env.L2_FUZZ_CASES ?? 100_000);
const ANSWERS = Math.ceil(CASES / 500);
const LANES = 10;
const LONG_MS = 10 * MINUTE_MS;

const seed = Number(process.env.L2_FUZZ_SEED ?? randomInt(2 ** 31));
const said = `with L2_FUZZ_SEED=${seed}`;

interface Kept {
  readonly digest: string;
  readonly tag: string;
  readonly reading: Reading;
  readonly value: Buffer;
}

describe("values in Redis that were tampered with", () => {
  const prng = createPrng(seed);
  const rootKey = newRootKey("fuzz");
  const names = createNames(rootKey);
  const mac = createMac(deriveKey(rootKey, "shared-cache"));
  const kept: readonly Kept[] = fc.sample(readings, { numRuns: 200, seed }).map((reading, index) => {
    const digest = aDigest(index);
    const tag = names.tagOf(A_TIMELINE, digest);
    return { digest, tag, reading, value: Buffer.from(sealValue(mac, tag, reading)?.text ?? "") };
  });
  const pick = () => prng.pick(kept);
  const mishaps: Record<string, (of: Kept) => Buffer> = {
    "bits flipped": ({ value }) => flipBits(prng, value),
    "cut off": ({ value }) => value.subarray(0, prng.below(value.length)),
    "spliced of two": ({ value }) => {
      const other = pick().value;
      return Buffer.concat([value.subarray(0, prng.below(value.length)), other.subarray(prng.below(other.length))]);
    },
    "another one's": () => pick().value,
    "with something put in": ({ value }) => {
      const place = prng.below(value.length);
      return Buffer.concat([value.subarray(0, place), prng.bytes(1 + prng.below(8)), value.subarray(place)]);
    },
    random: () => prng.bytes(prng.below(300)),
    "sealed, but of another form": (of) => {
      const text = deform(of);
      return Buffer.from(text + mac.of(text));
    },
  };

  it(
    "give no reading but the one that was kept under that name, and never throw",
    () => {
      const opened: Record<string, number> = { reading: 0, tombstone: 0, mac: 0, name: 0, form: 0, size: 0 };
      const tried: Record<string, number> = {};
      for (let number = 0; number < CASES; number++) {
        const of = pick();
        const kind = prng.pick(Object.keys(mishaps));
        const value = mishaps[kind]?.(of) ?? Buffer.alloc(0);
        const result = openValue(mac, of.tag, value);
        const outcome = result.kind === "discarded" ? result.reason : result.kind;
        opened[outcome] = (opened[outcome] ?? 0) + 1;
        tried[kind] = (tried[kind] ?? 0) + 1;
        if (result.kind === "reading" && writeReading(result.reading) !== writeReading(of.reading)) {
          expect.fail(`${kind}, ${said}: ${value.toString("latin1")}`);
        }
      }
      process.stdout.write(`l2-fuzz ${said}: ${JSON.stringify({ tried, opened })}\n`);
      expect(Object.keys(tried)).toHaveLength(Object.keys(mishaps).length);
      // What was harmed has been discarded for the reason that it gave, and what was not has not.
      for (const outcome of ["reading", "mac", "name", "form"]) expect(opened[outcome], outcome).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  /** What a value says, wrong in one place. */
  function deform({ value }: Kept): string {
    const text = value.toString("utf8", 0, value.length - MAC_BYTES);
    const start = text.indexOf("[");
    const parts = JSON.parse(text.slice(start)) as unknown[];
    const row = prng.pick(parts[2] as unknown[][]);
    const place = prng.below(row.length);
    const wrong = {
      // None of these is right for any field.
      field: () => row.splice(place, 1, prng.pick([[7], [[]], [null]])),
      type: () => row.splice(place, 1, typeof row[place] === "number" || row[place] === null ? "1" : 1.5),
      missing: () => row.splice(place, 1),
      more: () => row.push(null),
      head: () => parts.splice(prng.below(3), 1, prng.pick([7, null, {}, true])),
      short: () => parts.splice(prng.below(3)),
      empty: () => (parts[2] as unknown[][]).push([]),
      version: () => undefined,
    };
    const kind = prng.pick(Object.keys(wrong) as (keyof typeof wrong)[]);
    wrong[kind]();
    const head = kind === "version" ? text.slice(0, start).replace("r", "r1") : text.slice(0, start);
    return head + JSON.stringify(parts);
  }
});

const redis = await openOwnRedis();
afterAll(async () => await redis?.[Symbol.asyncDispose]());

describe.runIf(redis !== undefined)("answers of Redis that were garbled on their way", () => {
  it(
    "give no reading but the one that was kept, end nothing but their connection, and are got over",
    async () => {
      // What was garbled is got over in a second or so, which several wait for at a time.
      const lanes = Array.from({ length: LANES }, (_, lane) => garble(createPrng(seed + lane), ANSWERS / LANES));
      const counts = await Promise.all(lanes);
      process.stdout.write(`l2-fuzz ${said}: ${JSON.stringify(counts)}\n`);
      for (const { garbled, found, wrong, connections } of counts) {
        expect(wrong, said).toBe(0);
        expect(found).toBeGreaterThan(0);
        expect(connections).toBeGreaterThan(garbled / 2);
      }
    },
    LONG_MS,
  );

  async function garble(prng: Prng, answersMax: number) {
    await using proxy = await openTcpProxy({ port: redis?.port ?? 0 });
    await using parts = await openRedisParts(`redis://127.0.0.1:${proxy.port}`);
    const kept = new Map(
      Array.from({ length: 40 }, (_, number) => [aDigest(number), aReading(number, { displayName: `${number}` })]),
    );
    const asked = [...kept.keys()];
    const counts = { garbled: 0, asked: 0, found: 0, wrong: 0 };
    while (counts.garbled < answersMax) {
      proxy.answer((piece, passOn) => passOn(piece));
      await until("all is found again", async () => {
        for (const [digest, reading] of kept) parts.cache.keep(digest, reading);
        await parts.written();
        return (await parts.cache.find(A_TIMELINE, asked)).size === kept.size;
      });
      const mishap = prng.pick(Object.values(garbles));
      proxy.answer((piece, passOn) => {
        counts.garbled += 1;
        mishap(prng, piece, passOn);
      });
      const few = () => asked.filter(() => prng.chance(0.3));
      for (const found of await Promise.all([1, 2, 3, 4].map(() => parts.cache.find(A_TIMELINE, few())))) {
        counts.asked += 1;
        for (const [digest, reading] of found) {
          const right = kept.get(digest);
          counts.found += 1;
          if (right === undefined || writeReading(reading) !== writeReading(right)) counts.wrong += 1;
        }
      }
    }
    return { ...counts, connections: proxy.accepted };
  }
});

/** Ways in which an answer comes other than it was given. */
const garbles: Record<string, (prng: Prng, ...via: Parameters<Via>) => void> = {
  "bits flipped": (prng, piece, passOn) => passOn(flipBits(prng, piece)),
  "a byte in its frame changed": (prng, piece, passOn) => {
    const changed = Buffer.from(piece);
    changed[prng.below(Math.min(8, piece.length))] = prng.pick([...Buffer.from("*$+-:_>~%,#(!0\r\n")]);
    passOn(changed);
  },
  "cut off": (prng, piece, passOn) => passOn(piece.subarray(0, prng.below(piece.length))),
  "with a part left out": (prng, piece, passOn) => {
    const start = prng.below(piece.length);
    passOn(Buffer.concat([piece.subarray(0, start), piece.subarray(start + 1 + prng.below(40))]));
  },
  lost: () => {},
  doubled: (_, piece, passOn) => passOn(Buffer.concat([piece, piece])),
  "after what nobody asked for": (prng, piece, passOn) => passOn(Buffer.concat([prng.pick(strays), piece])),
  "before what nobody asked for": (prng, piece, passOn) => passOn(Buffer.concat([piece, prng.pick(strays)])),
  random: (prng, piece, passOn) => passOn(prng.bytes(piece.length)),
};

const strays = [
  "$-1",
  "*-1",
  "*0",
  "+OK",
  ":7",
  "-ERR no",
  "-MOVED 1",
  "_",
  ">1\r\n$-1",
  ">0",
  "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$-1",
  "*999999999",
].map((text) => Buffer.from(`${text}\r\n`));

function flipBits(prng: Prng, bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  for (let times = 1 + prng.below(3); times > 0 && changed.length > 0; times--) {
    const place = prng.below(changed.length);
    changed[place] = (changed[place] ?? 0) ^ (1 << prng.below(8));
  }
  return changed;
}
