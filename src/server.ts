import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { createAuthenticator } from "./access/authenticator.ts";
import { createAuditService } from "./audit/audit-service.ts";
import { openCaching } from "./caching.ts";
import { createChangeService } from "./changes/change-service.ts";
import { type Rules, soundRules } from "./coherence/rules.ts";
import type { Config, TlsFiles } from "./config.ts";
import { guardClock } from "./guarded-clock.ts";
import { createClientAddress } from "./http/client-address.ts";
import { corsHeadersFor, withCors } from "./http/cors.ts";
import { openListener } from "./http/listener.ts";
import { openOperations } from "./http/operations.ts";
import type { TlsOptions } from "./http/server-settings.ts";
import { createIds } from "./ids.ts";
import { createKeyService } from "./keys/key-service.ts";
import { createKeyspaceService } from "./keyspaces/keyspace-service.ts";
import type { Log } from "./log.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createPageTokens } from "./page-token.ts";
import { openPool } from "./postgres/pool.ts";
import { checkDatabase } from "./postgres/runtime-role.ts";
import { createTransactor } from "./postgres/transactor.ts";
import { startUpkeep } from "./postgres/upkeep.ts";
import { createReadiness, type ReadinessSwitch } from "./readiness.ts";
import { createRedisBulletin } from "./redis/bulletin.ts";
import { openRedis } from "./redis/connection.ts";
import { createRedisSharedCache } from "./redis/shared-cache.ts";
import { createSealer } from "./root-keys.ts";
import { createCallObserver } from "./rpc/call-observer.ts";
import { createRequestCheck } from "./rpc/request-check.ts";
import { createRpcHandler } from "./rpc/routes.ts";
import { createVerifyAnswers } from "./rpc/verify-service.ts";
import { createSecrets } from "./secret.ts";
import { openStore, type Store } from "./store.ts";
import { createTenantService } from "./tenants/tenant-service.ts";
import { type Clock, monotonicSeconds, SECOND_MS, systemClock } from "./time.ts";
import { createVerifyService } from "./verify/verify-service.ts";
import { withPlainRequests } from "./wire/plain-request.ts";
import { createWireHandler } from "./wire/wire-handler.ts";

/** A service that runs. Disposing it drains it: what is under way is finished, then everything is closed. */
export interface RunningServer extends AsyncDisposable {
  /** Where it answers: `http://127.0.0.1:8420`. */
  readonly url: string;
  /** Where metrics, `/healthz` and `/readyz` are; undefined if they are off. */
  readonly operationsUrl: string | undefined;
  /** In the embedded shape: the folder with its data and keys. */
  readonly dataDir: string | undefined;
  /** Resolves if the service cannot go on by itself. */
  readonly failed: Promise<Error>;
  readonly metrics: Pick<Metrics, "snapshot">;
  readonly readiness: Pick<ReadinessSwitch, "ready" | "changed">;
  /** Its rows among the members: once the process is dead for longer than a lease, nobody has to wait for them. */
  readonly memberIds: () => readonly string[];
}

export interface ServerOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /** By default the one that the configuration asks for. Goes with the service. */
  readonly store?: Store;
  /** Whether Verify takes the lean path, as it does by default. Tests compare it with the stock handler. */
  readonly leanPath?: boolean;
  /** What caches are believed by. Fault tests take them apart. */
  readonly rules?: Rules;
}

/** Changes may queue for a while behind each other. */
const CHANGE_WAIT_MS_MAX = 5 * SECOND_MS;

/** What is under way at the end may take that long. Together with the drain delay it stays below the 25 s that a stop may take. */
export const DRAIN_GRACE_MS = 10 * SECOND_MS;

/** Starts the service. It answers as soon as this resolves. The only place where the parts are joined. */
export async function startServer(config: Config, options: ServerOptions): Promise<RunningServer> {
  const { log, leanPath = true, rules = soundRules } = options;
  const guarded = options.clock === undefined ? guardClock(systemClock, log) : undefined;
  const clock = guarded?.clock ?? options.clock ?? systemClock;
  await using stack = new AsyncDisposableStack();
  const store = stack.use(options.store ?? (await openStore(config, { clock })));
  const url = store.url.reveal();
  const pool = openPool({
    url,
    connectionsMax: store.connectionsMax,
    waitMsMax: CHANGE_WAIT_MS_MAX,
    applicationName: "clavis",
  });
  stack.defer(() => pool.end());
  await checkDatabase(pool);

  const newId = createIds(clock);
  const newSecret = createSecrets();
  const sealer = createSealer(store.rootKeys);
  const pageTokens = createPageTokens(sealer);
  const transactor = createTransactor({ pool, newId });
  const redis = config.redisUrl === undefined ? undefined : stack.use(openRedis(config.redisUrl, log));
  const metrics = createMetrics({ redisUp: redis && (() => redis.up()) });
  const readiness = createReadiness(true);
  const { source, effects, hurry, memberIds, lookups } = stack.use(
    await openCaching({
      url: store.url,
      clock,
      rules,
      log,
      metrics,
      cacheBytes: config.cacheBytes,
      redis: redis && {
        shared: createRedisSharedCache({ redis, rootKey: store.rootKeys[0], events: metrics.sharedCache }),
        bulletin: createRedisBulletin({ redis, rootKeys: store.rootKeys }),
      },
      onClock(aheadMs) {
        guarded?.compare(aheadMs);
        readiness.setClockSound(guarded?.sound ?? true);
      },
    }),
  );
  metrics.observePools({ changes: pool, lookups });
  const changes = createChangeService({ transactor, sealer, effects, clock });
  const keys = createKeyService({ transactor, pageTokens, newId, newSecret, clock });
  const keyspaces = createKeyspaceService({ transactor, pageTokens, newId });
  const tenants = createTenantService({ transactor, keys, pageTokens, newId });
  const audit = createAuditService({ transactor, pageTokens });
  const verify = createVerifyService({ source, clock });
  const authenticator = createAuthenticator({ source, clock, operatorSecrets: store.operatorSecrets });

  stack.use(startUpkeep({ pool: lookups, log, onWritable: (writable) => readiness.setWritable(writable) }));

  const addressOf = createClientAddress(config.trustedProxies);
  const check = createRequestCheck();
  const observer = createCallObserver({ log, metrics, seconds: monotonicSeconds });
  const rpc = createRpcHandler({
    authenticator,
    changes,
    keyspaces,
    keys,
    tenants,
    verify,
    audit,
    newId,
    clock,
    check,
    observer,
    log,
    metrics,
    readiness,
    addressOf,
  });
  const handler = withCors(config.corsOrigins, rpc);
  const leanCheck = withPlainRequests(check);
  const wire = createWireHandler({
    authenticator,
    answers: createVerifyAnswers({ verify, check: leanCheck, metrics }),
    check: leanCheck,
    observer,
    addressOf,
    stock: handler,
    commonHeaders: corsHeadersFor(config.corsOrigins),
  });
  const { metricsListen } = config;
  const operations =
    metricsListen === null
      ? undefined
      : stack.use(await openOperations({ ...metricsListen, metrics, ready: () => readiness.ready() }));
  const listener = await openListener({
    ...config.listen,
    tls: readTls(config.tls),
    handler,
    shortcut: leanPath ? wire : undefined,
  });
  stack.defer(async () => {
    readiness.drain();
    await setTimeout(config.drainDelayMs);
    hurry();
    await listener.close(DRAIN_GRACE_MS);
  });

  const kept = stack.move();
  return {
    url: listener.url,
    operationsUrl: operations?.url,
    dataDir: store.folder?.path,
    failed: store.failed,
    metrics,
    readiness,
    memberIds,
    async [Symbol.asyncDispose]() {
      await kept.disposeAsync();
    },
  };
}

function readTls(files: TlsFiles | undefined): TlsOptions | undefined {
  if (files === undefined) return undefined;
  const { certFile, keyFile, clientCaFile } = files;
  const clientCa = clientCaFile === undefined ? undefined : readFileSync(clientCaFile, "utf8");
  return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), clientCa };
}
