import type { Effects } from "./changes/effect.ts";
import { type Bulletin, noBulletin } from "./coherence/bulletin.ts";
import type { ClockReading } from "./coherence/clocks.ts";
import { startReplica } from "./coherence/replica.ts";
import type { Rules } from "./coherence/rules.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { createCoherenceStore } from "./postgres/coherence-store.ts";
import { openPool } from "./postgres/pool.ts";
import { createSecretStore } from "./postgres/secret-store.ts";
import { random } from "./random.ts";
import type { Secret } from "./secret.ts";
import { type Clock, monotonicMs, SECOND_MS, systemClock } from "./time.ts";
import { createBurial } from "./verify/burial.ts";
import { createCachedSource, LOOKUP_CONNECTIONS } from "./verify/cached-source.ts";
import type { RecordSource } from "./verify/record-source.ts";
import { createSecretCache } from "./verify/secret-cache.ts";
import type { SharedCache } from "./verify/shared-cache.ts";
import { startStaleCheck } from "./verify/stale-check.ts";
import { createUnknownBudget } from "./verify/unknown-budget.ts";

/** What verdicts rest on, and when changes hold for them. */
export interface Caching extends AsyncDisposable {
  readonly source: RecordSource;
  readonly effects: Effects;
  /** Lets nobody wait for effects any longer: this process is about to end. */
  readonly hurry: () => void;
  /** This process's rows among the members. */
  readonly memberIds: () => readonly string[];
  /** The connections that verdicts have to themselves. */
  readonly lookups: ReturnType<typeof openPool>;
}

interface Parts {
  readonly url: Secret;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "answered" | "compared" | "polled" | "tookEffect" | "clockAhead" | "observeCache">;
  readonly cacheBytes: number;
  /** What the replicas share, where there is a Redis. */
  readonly redis: { readonly shared: SharedCache; readonly bulletin: Bulletin } | undefined;
  readonly onClock: (aheadMs: number) => void;
}

/** Who verifies is better served by an error soon, and tries elsewhere. */
const LOOKUP_WAIT_MS = SECOND_MS;

/** The change feed has two connections that no request can take: one for polls, one for what is written meanwhile. */
const FEED_CONNECTIONS = 2;

/** So short that a Postgres that hangs is known to before the lease of the poll before has ended. */
const FEED_WAIT_MS = 700;

/** How long Redis is left to tell what was applied before Postgres is told as well. */
const BULLETIN_MS = SECOND_MS / 4;

/** Both clocks of this machine. */
function systemClocks(): ClockReading {
  return { monotonicMs: monotonicMs(), wallMs: systemClock() };
}

export async function openCaching(parts: Parts): Promise<Caching> {
  const { url, clock, rules, log, metrics, cacheBytes, redis, onClock } = parts;
  await using stack = new AsyncDisposableStack();
  // Of their own, so that verdicts do not wait behind changes that wait for each other.
  const lookups = openPool({
    url: url.reveal(),
    connectionsMax: LOOKUP_CONNECTIONS + 1,
    waitMsMax: LOOKUP_WAIT_MS,
    queryMsMax: LOOKUP_WAIT_MS,
    applicationName: "clavis verify",
  });
  stack.defer(() => lookups.end());
  const feed = openPool({
    url: url.reveal(),
    connectionsMax: FEED_CONNECTIONS,
    waitMsMax: FEED_WAIT_MS,
    queryMsMax: FEED_WAIT_MS,
    applicationName: "clavis feed",
  });
  stack.defer(() => feed.end());

  const cache = createSecretCache({ bytesMax: cacheBytes, clock, monotonicMs, random });
  const secrets = createSecretStore(lookups);
  const replica = stack.use(
    startReplica({
      store: createCoherenceStore(feed),
      bulletin: redis?.bulletin ?? noBulletin,
      bulletinMs: redis === undefined ? 0 : BULLETIN_MS,
      clock,
      clocks: systemClocks,
      rules,
      log,
      events: {
        onAnew: () => cache.clear(),
        onNews: () => cache.forgetUnknown(),
        onChanges: (changes) => burial?.observe(replica.timeline, changes),
        onClock(aheadMs) {
          metrics.clockAhead(aheadMs);
          onClock(aheadMs);
        },
        onPolled: (ok) => metrics.polled(ok),
        onTaken: (manner, waitedMs) => metrics.tookEffect(manner, waitedMs / SECOND_MS),
      },
    }),
  );
  const burial = redis && createBurial({ effects: replica.effects, store: secrets, shared: redis.shared });
  stack.use(
    startStaleCheck({
      cache,
      store: secrets,
      replica,
      clock,
      log,
      onCompared: (comparison) => metrics.compared(comparison),
    }),
  );
  metrics.observeCache({ entries: () => cache.size, bytes: () => cache.bytes, leased: () => replica.leased() });
  const source = createCachedSource({
    store: secrets,
    cache,
    shared: redis?.shared,
    replica,
    rules,
    budget: createUnknownBudget(monotonicMs),
    monotonicMs,
    onAnswer: (layer) => metrics.answered(layer),
  });
  const kept = stack.move();
  return {
    source,
    effects: burial?.effects ?? replica.effects,
    hurry: () => replica.hurry(),
    memberIds: () => replica.memberIds,
    lookups,
    [Symbol.asyncDispose]: async () => kept.disposeAsync(),
  };
}
