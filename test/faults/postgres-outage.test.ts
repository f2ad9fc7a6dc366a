import { setTimeout as delay } from "node:timers/promises";
import { type Clavis, ClavisError, Outcome, RevocationMode } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEGRADED_MS, LEASE_MS } from "../../src/coherence/bounds.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openPostgresProxy, type PostgresProxy } from "../harness/postgres-proxy.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { openTenant } from "../harness/tenant.ts";
import { until } from "../harness/until.ts";

/** How long Postgres is away: some leases by default; OUTAGE_SECONDS=45 for the promise that is made. */
const OUTAGE_MS = Number(process.env.OUTAGE_SECONDS ?? 3) * 1000;

/** How soon after Postgres is back all is well again. */
const RECOVERY_MS_MAX = 5_000;

interface Place {
  readonly keyspaceId: string;
  readonly secret: string;
}

let stack: AsyncDisposableStack;
let service: TestService;
let proxy: PostgresProxy;
let clavis: Clavis;
let available: Place;
let strict: Place;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const database = stack.use(await openTestDatabase());
  proxy = stack.use(await openPostgresProxy(database.url));
  service = stack.use(await openTestService({ database, env: { CLAVIS_DATABASE_URL: proxy.url } }));
  const tenant = stack.use(await openTenant(service, { timeoutMs: 5_000 }));
  clavis = tenant.clavis;
  available = await aPlace(RevocationMode.AVAILABLE);
  strict = await aPlace(RevocationMode.STRICT);
});

afterAll(() => stack.disposeAsync());

describe.each(["cut off", "silent"] as const)("Postgres %s for a while", (how) => {
  it("stops nobody in an available keyspace, and everybody in a strict one", {
    timeout: OUTAGE_MS + 40_000,
  }, async () => {
    for (const place of [available, strict])
      expect(await askAt(place)).toEqual({ outcome: Outcome.VALID, degraded: false });

    if (how === "cut off") proxy.cut();
    else proxy.hang();
    const startMs = performance.now();
    const seen: Record<"available" | "strict", Answer[]> = { available: [], strict: [] };
    while (performance.now() - startMs < OUTAGE_MS) {
      const sinceMs = performance.now() - startMs;
      const [one, other] = await Promise.all([askAt(available), askAt(strict)]);
      seen.available.push(one);
      if (sinceMs > LEASE_MS) seen.strict.push(other);
      await delay(5);
    }
    proxy.restore();
    const backMs = performance.now();

    // To the last one, and told as what it is.
    expect(seen.available.filter(({ outcome }) => outcome !== Outcome.VALID)).toEqual([]);
    expect(seen.available.length).toBeGreaterThan(20);
    expect(seen.available.at(-1)?.degraded).toBe(true);
    expect(seen.strict.length).toBeGreaterThan(5);
    expect(new Set(seen.strict.map(({ outcome }) => outcome))).toEqual(new Set(["STORE_UNAVAILABLE"]));

    await until(
      "both to be as before",
      async () => {
        const answers = await Promise.all([askAt(available), askAt(strict)]);
        return answers.every(({ outcome, degraded }) => outcome === Outcome.VALID && !degraded) && (await isLeased());
      },
      RECOVERY_MS_MAX,
    );
    expect(performance.now() - backMs).toBeLessThan(RECOVERY_MS_MAX);
  });
});

describe("while Postgres is away", () => {
  it("nothing is made up: secrets that were never seen, and revoked ones, get no VALID", async () => {
    const { key, secret } = await clavis.keys.create({ keyspaceId: available.keyspaceId, displayName: "CI" });
    expect((await askAt({ ...available, secret })).outcome).toBe(Outcome.VALID);
    await clavis.keys.revoke(key.id);
    const fresh = await clavis.keys.create({ keyspaceId: available.keyspaceId, displayName: "CI" });
    proxy.cut();
    await until("the lease to be over", async () => (await askAt(available)).degraded);
    expect((await askAt({ ...available, secret })).outcome).not.toBe(Outcome.VALID);
    expect((await askAt({ ...available, secret: fresh.secret })).outcome).toBe("STORE_UNAVAILABLE");
    expect(DEGRADED_MS).toBeGreaterThan(45_000);
    proxy.restore();
    await until(
      "it to be back",
      async () => (await askAt({ ...available, secret: fresh.secret })).outcome === Outcome.VALID,
    );
  });
});

/** Whether the cache may answer again, rather than Postgres alone. */
async function isLeased(): Promise<boolean> {
  const text = await (await fetch(`${service.operationsUrl}/metrics`)).text();
  return /^clavis_cache_leased 1$/m.test(text);
}

interface Answer {
  readonly outcome: Outcome | string;
  readonly degraded: boolean;
}

async function askAt(place: Place): Promise<Answer> {
  try {
    const { outcome, degraded } = await clavis.verify(place);
    return { outcome, degraded };
  } catch (error) {
    if (!(error instanceof ClavisError)) throw error;
    return { outcome: error.reason, degraded: false };
  }
}

async function aPlace(revocationMode: RevocationMode): Promise<Place> {
  const { keyspace } = await clavis.keyspaces.create({ displayName: "x", prefix: "acme_live", revocationMode });
  const { secret } = await clavis.keys.create({ keyspaceId: keyspace.id, displayName: "CI" });
  return { keyspaceId: keyspace.id, secret };
}
