import type { Cidr } from "@clavis/sdk/rules";
import { z } from "zod";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import type { RootKey } from "./root-keys.ts";
import type { Secret } from "./secret.ts";
import { SECOND_MS } from "./time.ts";
import {
  type Address,
  optional,
  text,
  toAddress,
  toCidrs,
  toDatabaseUrl,
  toInteger,
  toOperatorSecrets,
  toOrigins,
  toRedisUrl,
  toRootKeys,
  toWorkerCount,
} from "./variable.ts";
import type { WorkerCount } from "./workers/worker-count.ts";

/** All that an operator may decide. `docs/configuration.md` lists the variables; each has a default that is safe. */
export interface Config {
  readonly listen: Address;
  /** Metrics, `/healthz` and `/readyz`; null for none. */
  readonly metricsListen: Address | null;
  /** A Postgres of one's own, or one that is there; with the first, Clavis makes what else it needs. */
  readonly store: EmbeddedStore | ServerStore;
  readonly rootKeys: readonly RootKey[];
  readonly operatorSecrets: readonly Secret[];
  readonly redisUrl: Secret | undefined;
  /** Memory that the cache of secrets takes at most, about. */
  readonly cacheBytes: number;
  /** Processes that serve, each with its caches and its connections to Postgres. */
  readonly workers: WorkerCount;
  readonly tls: TlsFiles | undefined;
  /** Origins whose pages may call; `*` for any. */
  readonly corsOrigins: readonly string[];
  /** Proxies whose `x-forwarded-for` counts. */
  readonly trustedProxies: readonly Cidr[];
  readonly logLevel: LogLevel;
  /** How long to go on answering after readiness went off, so that load balancers notice. */
  readonly drainDelayMs: number;
}

export interface EmbeddedStore {
  readonly shape: "embedded";
  readonly dataDir: string;
}

export interface ServerStore {
  readonly shape: "server";
  readonly databaseUrl: Secret;
  /** The owner's, where this process is to migrate before it serves. */
  readonly migrateDatabaseUrl: Secret | undefined;
  /** Connections to Postgres at most. */
  readonly connectionsMax: number;
}

/** A Postgres that is there, for who does what only the tables' owner may. */
export interface OwnerStore {
  readonly shape: "server";
  readonly migrateDatabaseUrl: Secret;
  /** As the role that the service runs as. */
  readonly databaseUrl: Secret | undefined;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Where clients must show a certificate of this authority. */
  readonly clientCaFile: string | undefined;
}

/** One bad variable. */
export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** Thrown with everything that is wrong with the environment, values left out. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(`the environment is not right:\n${problems.map(({ name, problem }) => `  ${name} ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

type Env = Readonly<Record<string, string | undefined>>;

const DRAIN_DELAY_SECONDS = { embedded: 0, server: 5 } as const;
const CONNECTIONS_DEFAULT = 10;
const CACHE_MEGABYTES_DEFAULT = 128;
const MEGABYTE = 1024 * 1024;

/** Read by the command line, which shares the environment. */
const CLI_VARIABLES = ["CLAVIS_URL", "CLAVIS_KEY", "CLAVIS_OPERATOR_KEY"];

const variables = z.object({
  CLAVIS_LISTEN: text("127.0.0.1:8420", toAddress),
  CLAVIS_METRICS_LISTEN: text("127.0.0.1:8421", (value, fail) => (value === "off" ? null : toAddress(value, fail))),
  CLAVIS_DATABASE_URL: optional(toDatabaseUrl),
  CLAVIS_MIGRATE_DATABASE_URL: optional(toDatabaseUrl),
  CLAVIS_DATABASE_CONNECTIONS: text(String(CONNECTIONS_DEFAULT), (value, fail) => toInteger(value, 2, 1000, fail)),
  CLAVIS_ROOT_KEYS: text("", toRootKeys),
  CLAVIS_OPERATOR_KEYS: text("", toOperatorSecrets),
  CLAVIS_REDIS_URL: optional(toRedisUrl),
  CLAVIS_CACHE_MEGABYTES: text(String(CACHE_MEGABYTES_DEFAULT), (value, fail) => toInteger(value, 1, 65_536, fail)),
  CLAVIS_WORKERS: text("1", toWorkerCount),
  CLAVIS_DATA_DIR: text(".clavis", (value) => value),
  CLAVIS_TLS_CERT_FILE: optional((value) => value),
  CLAVIS_TLS_KEY_FILE: optional((value) => value),
  CLAVIS_TLS_CLIENT_CA_FILE: optional((value) => value),
  CLAVIS_CORS_ORIGINS: text("", toOrigins),
  CLAVIS_TRUSTED_PROXIES: text("", toCidrs),
  CLAVIS_LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
  CLAVIS_DRAIN_DELAY_SECONDS: optional((value, fail) => toInteger(value, 0, 10, fail)),
});

/**
 * The configuration that the environment asks for. Without CLAVIS_DATABASE_URL it is the embedded shape.
 *
 * @throws ConfigError naming each variable that is wrong, unknown ones that begin with `CLAVIS_` included
 */
export function parseConfig(env: Env): Config {
  return Object.freeze(fromVariables(readVariables(env, contradictions)));
}

/**
 * Where everything is kept, for commands that work on all of it without serving: they need neither root nor operator keys.
 *
 * @throws ConfigError as parseConfig does, and where there is a database but no URL of its owner
 */
export function parseOwnerStore(env: Env): EmbeddedStore | OwnerStore {
  const vars = readVariables(env, ownerContradictions);
  const { CLAVIS_DATABASE_URL: databaseUrl, CLAVIS_MIGRATE_DATABASE_URL: migrateDatabaseUrl } = vars;
  return migrateDatabaseUrl === undefined
    ? { shape: "embedded", dataDir: vars.CLAVIS_DATA_DIR }
    : { shape: "server", databaseUrl, migrateDatabaseUrl };
}

type Variables = z.infer<typeof variables>;

/** The variables, if all are right by themselves and `findContradictions` has nothing to say either. */
function readVariables(env: Env, findContradictions: (vars: Variables) => ConfigProblem[]): Variables {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name.startsWith("CLAVIS_") && value !== ""),
  );
  const result = variables.safeParse(given);
  const problems: ConfigProblem[] = unknownVariables(given);
  if (!result.success) {
    problems.push(...result.error.issues.map((issue) => ({ name: issue.path.join("."), problem: issue.message })));
    throw new ConfigError(problems);
  }
  problems.push(...findContradictions(result.data));
  if (problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

function fromVariables(vars: Variables): Config {
  const { CLAVIS_DATABASE_URL: databaseUrl, CLAVIS_TLS_CERT_FILE: certFile, CLAVIS_TLS_KEY_FILE: keyFile } = vars;
  const store: Config["store"] =
    databaseUrl === undefined
      ? { shape: "embedded", dataDir: vars.CLAVIS_DATA_DIR }
      : {
          shape: "server",
          databaseUrl,
          migrateDatabaseUrl: vars.CLAVIS_MIGRATE_DATABASE_URL,
          connectionsMax: vars.CLAVIS_DATABASE_CONNECTIONS,
        };
  return {
    listen: vars.CLAVIS_LISTEN,
    metricsListen: vars.CLAVIS_METRICS_LISTEN,
    store,
    rootKeys: vars.CLAVIS_ROOT_KEYS,
    operatorSecrets: vars.CLAVIS_OPERATOR_KEYS,
    redisUrl: vars.CLAVIS_REDIS_URL,
    cacheBytes: vars.CLAVIS_CACHE_MEGABYTES * MEGABYTE,
    workers: vars.CLAVIS_WORKERS,
    tls:
      certFile === undefined || keyFile === undefined
        ? undefined
        : { certFile, keyFile, clientCaFile: vars.CLAVIS_TLS_CLIENT_CA_FILE },
    corsOrigins: vars.CLAVIS_CORS_ORIGINS,
    trustedProxies: vars.CLAVIS_TRUSTED_PROXIES,
    logLevel: vars.CLAVIS_LOG_LEVEL,
    drainDelayMs: (vars.CLAVIS_DRAIN_DELAY_SECONDS ?? DRAIN_DELAY_SECONDS[store.shape]) * SECOND_MS,
  };
}

function unknownVariables(given: Env): ConfigProblem[] {
  const known = new Set([...Object.keys(variables.shape), ...CLI_VARIABLES]);
  return Object.keys(given).flatMap((name) => (known.has(name) ? [] : [{ name, problem: "is no variable of Clavis" }]));
}

/** What is wrong with variables that are right by themselves. */
function contradictions(vars: Variables): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (vars.CLAVIS_DATABASE_URL !== undefined) {
    const why = "is needed with CLAVIS_DATABASE_URL";
    if (vars.CLAVIS_ROOT_KEYS.length === 0) problems.push({ name: "CLAVIS_ROOT_KEYS", problem: why });
    if (vars.CLAVIS_OPERATOR_KEYS.length === 0) problems.push({ name: "CLAVIS_OPERATOR_KEYS", problem: why });
  } else if (vars.CLAVIS_MIGRATE_DATABASE_URL !== undefined) {
    problems.push({ name: "CLAVIS_DATABASE_URL", problem: "is needed with CLAVIS_MIGRATE_DATABASE_URL" });
  }
  if ((vars.CLAVIS_TLS_CERT_FILE === undefined) !== (vars.CLAVIS_TLS_KEY_FILE === undefined)) {
    problems.push({ name: "CLAVIS_TLS_CERT_FILE", problem: "and CLAVIS_TLS_KEY_FILE go together" });
  }
  if (vars.CLAVIS_TLS_CLIENT_CA_FILE !== undefined && vars.CLAVIS_TLS_CERT_FILE === undefined) {
    problems.push({ name: "CLAVIS_TLS_CLIENT_CA_FILE", problem: "needs CLAVIS_TLS_CERT_FILE" });
  }
  return problems;
}

function ownerContradictions(vars: Variables): ConfigProblem[] {
  if (vars.CLAVIS_DATABASE_URL === undefined || vars.CLAVIS_MIGRATE_DATABASE_URL !== undefined) return [];
  return [
    { name: "CLAVIS_MIGRATE_DATABASE_URL", problem: "is needed: only the tables' owner sees all that is in them" },
  ];
}
