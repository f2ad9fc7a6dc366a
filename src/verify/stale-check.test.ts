import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { aKnownSecret, aReading } from "../../test/harness/readings.ts";
import { LEASE_MS, waited } from "../coherence/bounds.ts";
import { createLog } from "../log.ts";
import type { Reading } from "./known-secret.ts";
import { type Comparison, startStaleCheck } from "./stale-check.ts";

const NOW = Date.UTC(2030, 0, 1);
const disabled = aKnownSecret({ record: { disabled: true } });
const expired = aKnownSecret({ record: { expireTime: NOW } });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("a sample of the cache", () => {
  it.each<[string, Reading, Reading, Comparison]>([
    ["lets in what Postgres did", aReading(), aReading([aKnownSecret()], "12:12:"), "agrees"],
    ["still lets in what Postgres had refused", aReading(), aReading([disabled], "12:12:"), "stale"],
    ["still lets in what Postgres did not know any more", aReading(), aReading([], "12:12:"), "stale"],
    ["was read after Postgres refused", aReading([aKnownSecret()], "13:13:"), aReading([disabled], "12:12:"), "agrees"],
    ["refuses what Postgres let in", aReading([disabled]), aReading([aKnownSecret()], "12:12:"), "agrees"],
    ["expired by itself since", aReading([expired]), aReading([disabled], "12:12:"), "agrees"],
    [
      "is of management keys too, wherever they may be used from",
      aReading([aKnownSecret({ record: { management: true } })]),
      aReading([aKnownSecret({ record: { management: true, revokeTime: NOW - 1 } })], "12:12:"),
      "stale",
    ],
  ])("that %s", async (_, cached, primary, outcome) => {
    const { compared, forgotten, pass } = aCheck(cached, primary);
    await pass(100 + waited(LEASE_MS));
    expect(compared[0]).toBe(outcome);
    expect(forgotten).toEqual(outcome === "stale" ? ["secret"] : []);
  });

  it("has the time of a lease to follow", async () => {
    const { compared, pass } = aCheck(aReading(), aReading([disabled], "12:12:"));
    await pass(100 + waited(LEASE_MS) - 1);
    expect(compared).toEqual([]);
  });

  it("tells nothing where the cache may not answer anyway", async () => {
    const { compared, pass, replica } = aCheck(aReading(), aReading([disabled], "12:12:"));
    replica.isLeased = false;
    await pass(100 + waited(LEASE_MS));
    expect(compared[0]).toBe("skipped");
  });
});

it("takes ten samples a second, none while one is read, and none after its end", async () => {
  const { reads, pass, check, hold } = aCheck(aReading(), aReading());
  await pass(1000);
  expect(reads()).toBe(10);
  hold();
  await pass(1000);
  expect(reads()).toBe(11);
  check[Symbol.dispose]();
  await pass(1000);
  expect(reads()).toBe(11);
});

function aCheck(cached: Reading, primary: Reading) {
  const compared: Comparison[] = [];
  const forgotten: string[] = [];
  const replica = { isLeased: true, leased: () => replica.isLeased, believes: () => true };
  let reads = 0;
  let held = false;
  const entry = { reading: cached, freshUntilMs: 0, completeUntilMs: 0, epoch: 0, news: 0 };
  const check = startStaleCheck({
    cache: { sample: () => "secret", get: () => entry, forget: (digest) => void forgotten.push(digest) },
    store: {
      readAll() {
        reads += 1;
        return held ? new Promise(() => {}) : Promise.resolve(() => primary);
      },
      digestsOf: async () => [],
    },
    replica,
    clock: () => NOW,
    log: createLog("silent"),
    onCompared: (comparison) => void compared.push(comparison),
  });
  return {
    compared,
    forgotten,
    replica,
    check,
    reads: () => reads,
    hold: () => {
      held = true;
    },
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
  };
}
