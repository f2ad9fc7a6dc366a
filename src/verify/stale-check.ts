import { decide, type VerifyRecord } from "@clavis/sdk/rules";
import { LEASE_MS, waited } from "../coherence/bounds.ts";
import { hasSeenAll } from "../coherence/position.ts";
import type { Replica } from "../coherence/replica.ts";
import type { Log } from "../log.ts";
import { type Clock, SECOND_MS } from "../time.ts";
import { type KnownSecret, type Reading, readRecordOf } from "./known-secret.ts";
import type { SecretCache } from "./secret-cache.ts";
import type { SecretStore } from "./secret-store.ts";

/** How a sample came out. `skipped`: by then the cache had nothing that could answer. */
export type Comparison = "agrees" | "stale" | "skipped";

interface Parts {
  readonly cache: Pick<SecretCache, "sample" | "get" | "forget">;
  readonly store: SecretStore;
  readonly replica: Pick<Replica, "leased" | "believes">;
  readonly clock: Clock;
  readonly log: Log;
  readonly onCompared: (comparison: Comparison) => void;
}

const SAMPLES_PER_SECOND = 10;

/** After that long, no cache may answer any more by what was before a read of Postgres, whatever may have become of the hints. */
const GRACE_MS = waited(LEASE_MS);

/**
 * Asks Postgres about some of the secrets that are in use, and a lease later whether the cache would still let in what Postgres had
 * refused. That never happens while the rules hold; it is counted so that nobody has to take that on trust. It also keeps the way
 * to Postgres in use when all answers come from memory.
 */
export function startStaleCheck(parts: Parts): Disposable {
  const { cache, store } = parts;
  const pending = new Set<NodeJS.Timeout>();
  let reading = false;

  async function takeSample(): Promise<void> {
    const digest = cache.sample();
    if (digest === undefined || reading) return;
    reading = true;
    try {
      const primary = (await store.readAll([digest]))(digest);
      const timer = setTimeout(() => {
        pending.delete(timer);
        compare(parts, digest, primary);
      }, GRACE_MS);
      pending.add(timer.unref());
    } catch {
      // Postgres is away, which is told elsewhere.
    } finally {
      reading = false;
    }
  }

  const sampling = setInterval(() => void takeSample(), SECOND_MS / SAMPLES_PER_SECOND).unref();
  return {
    [Symbol.dispose]() {
      clearInterval(sampling);
      for (const timer of pending) clearTimeout(timer);
    },
  };
}

function compare({ cache, replica, clock, log, onCompared }: Parts, digest: string, primary: Reading): void {
  const cached = cache.get(digest)?.reading;
  if (cached === undefined || !replica.leased() || !replica.believes(readRecordOf(cached))) {
    onCompared("skipped");
    return;
  }
  const now = clock();
  const stale = staleAmong(cached, primary, now);
  if (stale === undefined) {
    onCompared("agrees");
    return;
  }
  onCompared("stale");
  log.error({ keyId: stale.facts.keyId }, "the cache would have let in what Postgres had refused before");
  cache.forget(digest);
}

/** What the older reading lets in and Postgres had refused. */
function staleAmong(cached: Reading, primary: Reading, now: number): KnownSecret | undefined {
  if (hasSeenAll(cached.position, primary.position)) return undefined;
  return cached.known.find(({ record }) => {
    const theirs = primary.known.find((known) => known.record.keyId === record.keyId);
    return admits(record, now) && (theirs === undefined || !admits(theirs.record, now));
  });
}

/** Whether it is let in by itself, whatever is asked of it. */
function admits(record: VerifyRecord, now: number): boolean {
  const { tenantId, keyspaceId } = record;
  const own = { ...record, management: false, allowedAddresses: [] };
  return decide(own, { tenantId, keyspaceId, permissions: [] }, now).outcome === "valid";
}
