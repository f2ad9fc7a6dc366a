import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { aKnownSecret, aReading, positionAt } from "../../test/harness/readings.ts";
import { createHorizon } from "../coherence/horizon.ts";
import { mayDegrade } from "../coherence/mode.ts";
import { DomainError } from "../errors.ts";
import { createCachedSource, type Layer } from "./cached-source.ts";
import type { Reading } from "./known-secret.ts";
import type { Found } from "./record-source.ts";
import { createSecretCache } from "./secret-cache.ts";
import { createUnknownBudget } from "./unknown-budget.ts";

const away = new DomainError({ reason: "STORE_UNAVAILABLE", retryAfterMs: 1000 });
const unknown = aReading([]);

describe("a secret that was read", () => {
  it("is answered from memory, without waiting", async () => {
    const { find, answer, layers, sent } = aSource();
    const first = find();
    await answer(aReading());
    expect(await first).toEqual({ known: aKnown(), degraded: false });
    expect(find()).toEqual({ known: aKnown(), degraded: false });
    expect([layers, sent.length]).toEqual([["postgres", "memory"], 1]);
  });

  it.each<[string, (source: Source) => void]>([
    [
      "without a lease",
      ({ replica }) => {
        replica.isLeased = false;
      },
    ],
    ["once it is no longer fresh", ({ passMs }) => passMs(5 * 60_000)],
    ["once something in it has changed", ({ raise }) => raise({ id: "key_1", version: 2, xid: 11n })],
    ["once the history is another", ({ startAnew }) => startAnew()],
  ])("is read again %s", async (_, happen) => {
    const source = await aWarmSource();
    happen(source);
    const again = source.find();
    expect(again).toBeInstanceOf(Promise);
    await source.answer(aReading([aKnownSecret({ record: { disabled: true } })], "12:12:"));
    expect((await again).known?.record.disabled).toBe(true);
    expect(source.layers).toEqual(["postgres", "postgres"]);
  });

  it("is held against what has changed whenever something has, and then no more", async () => {
    const source = await aWarmSource();
    source.believed.mockClear();
    for (let time = 0; time < 3; time++) void source.find();
    expect(source.believed).not.toHaveBeenCalled();
    source.raise({ id: "key_2", version: 2, xid: 11n });
    for (let time = 0; time < 3; time++) expect(source.find()).toEqual({ known: aKnown(), degraded: false });
    expect(source.believed).toHaveBeenCalledTimes(1);
  });

  it("is not kept if something in it has changed while it was read", async () => {
    const { find, answer, raise, sent } = aSource();
    const first = find();
    await turn();
    raise({ id: "key_1", version: 2, xid: 11n });
    await answer(aReading());
    // Right for who asked before the change; nobody after it may be told so.
    expect((await first).known).toEqual(aKnown());
    void find();
    await turn();
    expect(sent).toHaveLength(2);
  });

  it("is another tenant's as well for one second; then that one is asked for", async () => {
    const source = await aWarmSource();
    expect(source.find({ tenantId: "ten_2" })).toEqual({ known: undefined, degraded: false });
    source.passMs(1000);
    const again = source.find({ tenantId: "ten_2" });
    const theirs = aKnownSecret({ record: { tenantId: "ten_2" } });
    await source.answer(aReading([aKnownSecret(), theirs]));
    expect((await again).known).toEqual(theirs);
    expect(source.find()).toEqual({ known: aKnown(), degraded: false });
  });
});

describe("a secret that a tenant imports which another has already", () => {
  const theirs = aKnownSecret({ record: { tenantId: "ten_2" } });

  it("is looked for anew, however short ago somebody was told that this tenant has none such", async () => {
    const source = await aWarmSource();
    expect(source.find({ tenantId: "ten_2" })).toEqual(nobody);
    source.cache.forgetUnknown();
    const found = source.find({ tenantId: "ten_2" });
    await source.answer(aReading([aKnownSecret(), theirs]));
    expect((await found).known).toEqual(theirs);
  });

  it("is looked for in Postgres where the replicas share what was read before", async () => {
    const { find, answer, passMs, shared } = aSource({ shares: true });
    shared.holds.set("secret", aReading());
    expect((await find()).known).toEqual(aKnown());
    for (let time = 0; time < 2; time++) {
      const found = find({ tenantId: "ten_2" });
      await answer(aReading([aKnownSecret(), theirs]));
      expect((await found).known).toEqual(theirs);
      passMs(5 * 60_000);
    }
  });
});

describe("a secret that nobody knows", () => {
  it("is looked for anew by who asks after it was made known, whoever reads already", async () => {
    const { find, answer, cache } = aSource();
    const first = find();
    await turn();
    // Somebody imports it.
    cache.forgetUnknown();
    const second = find();
    await answer(unknown);
    expect(await first).toEqual(nobody);
    await answer(aReading());
    expect((await second).known).toEqual(aKnown());
  });

  it("is not kept for one where something was made known while it was read", async () => {
    const { find, answer, cache, sent } = aSource();
    const first = find();
    await turn();
    cache.forgetUnknown();
    await answer(unknown);
    await first;
    void find();
    await turn();
    expect(sent).toHaveLength(2);
  });

  it("is not asked for again within a second, and costs who asked", async () => {
    const { find, answer, passMs, sent, charged } = aSource();
    const first = find();
    await answer(unknown);
    expect([await first, find()]).toEqual([nobody, nobody]);
    passMs(1000);
    void find();
    await turn();
    expect([sent.length, charged]).toEqual([2, ["payer"]]);
  });

  it("is asked for as soon as somebody may have made it known", async () => {
    const { find, answer, cache, charged } = aSource();
    const first = find();
    await answer(unknown);
    await first;
    cache.forgetUnknown();
    const again = find();
    await answer(aReading());
    expect((await again).known).toEqual(aKnown());
    expect(charged).toHaveLength(1);
  });
});

describe("who asks while it is read", () => {
  it("joins, with a lease: one read for all", async () => {
    const { find, answer, sent } = aSource();
    const first = find();
    await turn();
    const second = find();
    await answer(aReading());
    expect([(await first).known, (await second).known]).toEqual([aKnown(), aKnown()]);
    expect(sent).toHaveLength(1);
  });

  it("disbelieves what was read before a change that this replica goes by, and reads again", async () => {
    const { find, answer, raise, sent } = aSource();
    const first = find();
    await turn();
    raise({ id: "key_1", version: 2, xid: 11n });
    const second = find();
    await answer(aReading());
    await first;
    const disabled = aKnownSecret({ record: { disabled: true }, entities: [{ id: "key_1", version: 2 }] });
    await answer(aReading([disabled], "12:12:"));
    expect((await second).known).toEqual(disabled);
    expect(sent).toHaveLength(2);
  });

  it("joins no read that was sent before, without a lease: nobody has told it what changed", async () => {
    const { find, answer, replica, sent } = aSource();
    replica.isLeased = false;
    const first = find();
    await turn();
    const second = find();
    const third = find();
    await turn();
    expect(sent.map(({ digests }) => digests)).toEqual([["secret"], ["secret"]]);
    await answer(aReading());
    const disabled = aKnownSecret({ record: { disabled: true } });
    await answer(aReading([disabled]));
    expect((await first).known).toEqual(aKnown());
    expect([(await second).known, (await third).known]).toEqual([disabled, disabled]);
  });

  it("is told as the first is if the read fails, and the next reads again", async () => {
    const { find, fail, sent } = aSource();
    const both = [find(), find()];
    await fail(away);
    for (const one of both) await expect(one).rejects.toThrow("STORE_UNAVAILABLE");
    void find();
    await turn();
    expect(sent).toHaveLength(2);
  });
});

describe("what the replicas share", () => {
  it("is asked before Postgres, and then answers from memory", async () => {
    const { find, layers, sent, shared } = aSource({ shares: true });
    shared.holds.set("secret", aReading());
    expect((await find()).known).toEqual(aKnown());
    void find();
    expect([layers, sent]).toEqual([["shared", "memory"], []]);
  });

  it("is believed by the same rules as anything else that is cached", async () => {
    const { find, answer, raise, layers, shared } = aSource({ shares: true });
    shared.holds.set("secret", aReading());
    raise({ id: "key_1", version: 2, xid: 11n });
    const found = find();
    const changed = aKnownSecret({ entities: [{ id: "key_1", version: 2 }] });
    await answer(aReading([changed], "12:12:"));
    expect((await found).known).toEqual(changed);
    expect(layers).toEqual(["postgres"]);
  });

  it("is given what was read and is believed, and nothing that nobody knows", async () => {
    const { find, answer, raise, shared } = aSource({ shares: true });
    const found = [find({ digest: "a" }), find({ digest: "b" }), find({ digest: "c" })];
    await turn();
    raise({ id: "key_c", version: 2, xid: 11n });
    const changed = aReading([aKnownSecret({ entities: [{ id: "key_c", version: 1 }] })]);
    await answer({ a: aReading(), b: unknown, c: changed });
    for (const one of found) await one;
    expect(shared.kept).toEqual(["a"]);
  });

  it.each<[string, (source: Source) => void]>([
    [
      "without a lease",
      ({ replica }) => {
        replica.isLeased = false;
      },
    ],
    [
      "before it is known which history they are of",
      ({ replica }) => {
        replica.timeline = undefined;
      },
    ],
  ])("is not asked %s", async (_, happen) => {
    const source = aSource({ shares: true });
    source.shared.holds.set("secret", aReading());
    happen(source);
    const found = source.find();
    await source.answer(aReading());
    await found;
    expect(source.layers).toEqual(["postgres"]);
  });
});

describe("while Postgres does not answer", () => {
  it("what is cached stands in, and says so", async () => {
    const source = await aWarmSource();
    source.replica.isLeased = false;
    const found = source.find();
    await source.fail(away);
    expect(await found).toEqual({ known: aKnown(), degraded: true });
    expect(source.layers).toEqual(["postgres", "degraded"]);
  });

  it.each<[string, (source: Source) => void, Reading?]>([
    ["of a strict keyspace", () => {}, ofMode({ mode: "strict", settled: true })],
    ["of one that became available a moment ago", () => {}, ofMode({ mode: "available", settled: false })],
    [
      "once that was too long ago",
      ({ replica }) => {
        replica.standsIn = false;
      },
    ],
    ["that is known to have changed", ({ raise }) => raise({ id: "key_1", version: 2, xid: 11n })],
    ["that is not there", ({ cache }) => cache.clear()],
  ])("nothing stands in %s", async (_, happen, reading) => {
    const source = await aWarmSource(reading);
    source.replica.isLeased = false;
    happen(source);
    const found = source.find();
    await source.fail(away);
    await expect(found).rejects.toThrow("STORE_UNAVAILABLE");
    expect(source.layers).toEqual(["postgres", "unavailable"]);
  });

  it("nothing stands in for another error: it is not Postgres that is away", async () => {
    const source = await aWarmSource();
    source.replica.isLeased = false;
    const found = source.find();
    await source.fail(new RangeError("a bug"));
    await expect(found).rejects.toThrow("a bug");
  });

  it("nobody waits once that is known, and one read tries again until it is back", async () => {
    const { find, fail, answer, replica, sent } = aSource();
    const first = find();
    await fail(away);
    await expect(first).rejects.toThrow("STORE_UNAVAILABLE");
    replica.isConnected = false;

    for (let time = 0; time < 5; time++) {
      await expect(find()).rejects.toMatchObject({ failure: { reason: "STORE_UNAVAILABLE", retryAfterMs: 1000 } });
    }
    await turn();
    expect(sent).toHaveLength(2);
    await answer(aReading());
    const found = find({ digest: "another" });
    await answer(aReading());
    expect((await found).known).toEqual(aKnown());
  });

  it("nobody waits from the moment that the change feed is cut off", async () => {
    const source = await aWarmSource();
    source.replica.isLeased = false;
    source.replica.isConnected = false;
    // Not one of these has been answered by Postgres, nor by its silence.
    expect(await Promise.all([source.find(), source.find()])).toEqual([
      { known: aKnown(), degraded: true },
      { known: aKnown(), degraded: true },
    ]);
    await expect(source.find({ digest: "another" })).rejects.toThrow("STORE_UNAVAILABLE");
  });

  it("reads go on that get through while the change feed alone is cut off", async () => {
    const { find, answer, replica } = aSource();
    replica.isLeased = false;
    replica.isConnected = false;
    const found = find();
    await answer(aReading());
    expect((await found).known).toEqual(aKnown());
  });
});

describe("who asks for too much that nobody knows", () => {
  it("waits for one read at a time, with a rest after it, while the others are read as ever", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { find, answer, spend, sent } = aSource();
    spend("flooder");
    const floods = [find({ digest: "f1", payer: "flooder" })];
    await turn();
    floods.push(find({ digest: "f2", payer: "flooder" }));
    const found = find();
    await turn();
    expect(sent.map(({ digests }) => digests)).toEqual([["f1"], ["secret"]]);
    await answer(unknown);
    await answer(aReading());
    expect((await found).known).toEqual(aKnown());
    expect(sent).toHaveLength(2);
    vi.advanceTimersByTime(100);
    await answer(unknown);
    for (const flood of floods) expect(await flood).toEqual(nobody);
  });

  it("is refused once five hundred wait, and told when to come back", async () => {
    const { find, spend, sent } = aSource();
    spend("flooder");
    for (let index = 0; index < 500; index++) void find({ digest: `waits ${index}`, payer: "flooder" });
    await expect(find({ digest: "one more", payer: "flooder" })).rejects.toMatchObject({
      failure: { reason: "TOO_MANY_UNKNOWN_SECRETS", retryAfterMs: 1000 },
    });
    void find({ digest: "another's" });
    await turn();
    expect(new Set(sent.map(({ digests }) => digests.length))).toEqual(new Set([1, 500]));
  });

  it("is answered from memory as everyone is", async () => {
    const source = await aWarmSource();
    source.spend("flooder");
    expect(source.find({ payer: "flooder" })).toEqual({ known: aKnown(), degraded: false });
  });
});

it("reads Postgres alone where that is asked for, whatever is cached", async () => {
  const { source, answer } = await aWarmSource();
  const read = source.read("secret");
  const disabled = aKnownSecret({ record: { disabled: true } });
  await answer(aReading([disabled]));
  expect(await read).toEqual([disabled]);
});

const nobody: Found = { known: undefined, degraded: false };

function aKnown() {
  return expect.objectContaining({
    record: expect.objectContaining({ tenantId: "ten_1", disabled: false }),
  }) as unknown;
}

function ofMode(keyspaceMode: Parameters<typeof mayDegrade>[0]): Reading {
  return aReading([aKnownSecret({ keyspaceMode })]);
}

type Source = ReturnType<typeof aSource>;

/** One that has read a secret. */
async function aWarmSource(reading = aReading()): Promise<Source> {
  const source = aSource();
  const found = source.find();
  await source.answer(reading);
  await found;
  return source;
}

/** A source over a store that the test answers, for a replica that has applied all that the snapshot 10:10: sees. */
function aSource({ shares = false } = {}) {
  let nowMs = 0;
  let epoch = 0;
  let horizon = createHorizon(positionAt("10:10:"));
  const replica = {
    isLeased: true,
    standsIn: true,
    isConnected: true,
    timeline: "1" as string | undefined,
  };
  const sent: { readonly digests: readonly string[] }[] = [];
  const pending: PromiseWithResolvers<(digest: string) => Reading>[] = [];
  const layers: Layer[] = [];
  const charged: string[] = [];
  const shared = { holds: new Map<string, Reading>(), kept: [] as string[] };
  const budget = createUnknownBudget(() => nowMs);
  const cache = createSecretCache({ bytesMax: 1_000_000, clock: () => 0, monotonicMs: () => nowMs, random: () => 0.5 });
  const believed = vi.fn((record: Parameters<typeof horizon.believes>[0]) => horizon.believes(record));
  const source = createCachedSource({
    store: {
      readAll(digests) {
        const one = Promise.withResolvers<(digest: string) => Reading>();
        sent.push({ digests });
        pending.push(one);
        return one.promise;
      },
      digestsOf: async () => [],
    },
    cache,
    shared: shares
      ? {
          async find(_timeline, digests) {
            return new Map(Array.from(shared.holds).filter(([digest]) => digests.includes(digest)));
          },
          keep: (digest) => void shared.kept.push(digest),
          bury: () => {},
        }
      : undefined,
    replica: {
      leased: () => replica.isLeased,
      mayStandIn: () => replica.standsIn,
      believes: believed,
      get timeline() {
        return replica.timeline;
      },
      get connected() {
        return replica.isConnected;
      },
      get epoch() {
        return epoch;
      },
    },
    rules: { mayDegrade },
    budget: {
      isSpent: (payer) => budget.isSpent(payer),
      charge: (payer) => {
        charged.push(payer);
        budget.charge(payer);
      },
    },
    monotonicMs: () => nowMs,
    onAnswer: (layer) => void layers.push(layer),
  });

  /** The read that was sent first of those that wait; each layer on the way to one takes a turn or two. */
  async function oldest() {
    for (let turns = 0; turns < 10 && pending.length === 0; turns++) await turn();
    const one = pending.shift();
    if (one === undefined) throw new Error("nothing was asked");
    return one;
  }

  return {
    source,
    cache,
    replica,
    shared,
    believed,
    /** The digests of each read that was sent. */
    sent,
    layers,
    charged,
    find: ({ digest = "secret", payer = "payer", tenantId = "ten_1" } = {}) =>
      source.find({ digest, payer, isMeant: ({ record }) => record.tenantId === tenantId }),
    /** Answers the oldest read that waits, with the same for each secret or by digest. */
    answer: async (readings: Reading | Readonly<Record<string, Reading>>) => {
      const isOne = (value: typeof readings): value is Reading => "known" in value;
      (await oldest()).resolve((digest) => (isOne(readings) ? readings : (readings[digest] ?? unknown)));
      await turn();
    },
    fail: async (error: Error) => (await oldest()).reject(error),
    raise: (change: Parameters<typeof horizon.raise>[0]) => {
      horizon.raise(change);
      epoch += 1;
    },
    /** As after a failover. */
    startAnew: () => {
      horizon = createHorizon(positionAt("5:5:", "2"));
      epoch += 1;
    },
    passMs: (ms: number) => {
      nowMs += ms;
    },
    spend: (payer: string) => {
      for (let time = 0; time < 1000; time++) budget.charge(payer);
    },
  };
}
