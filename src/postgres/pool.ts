import pg from "pg";
import { SECOND_MS } from "../time.ts";

export interface PoolOptions {
  readonly url: string;
  /** Connections at most. */
  readonly connectionsMax: number;
  /** How long a caller waits, be it for its turn or for Postgres to accept a connection, before Postgres counts as away. */
  readonly waitMsMax: number;
  /** How long a statement may go unanswered. Default 8 s: somewhat longer than the server's own limit, which ends it more gently. */
  readonly queryMsMax?: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
}

const QUERY_MS_MAX = 8 * SECOND_MS;

/** A connection is replaced after that long, so that after a failover none stays with the server of before. */
const LIFETIME_MS = 300 * SECOND_MS;

const INT8 = 20;
const TIMESTAMPTZ = 1184;

/** A pool whose rows speak the domain's language: times as Unix milliseconds, bigint columns as numbers (none passes 2^53). */
export function openPool({
  url,
  connectionsMax,
  waitMsMax,
  queryMsMax = QUERY_MS_MAX,
  applicationName,
}: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    application_name: applicationName,
    connectionTimeoutMillis: waitMsMax,
    query_timeout: queryMsMax,
    maxLifetimeSeconds: LIFETIME_MS / SECOND_MS,
    keepAlive: true,
    types: { getTypeParser },
  });
  hearErrors(pool);
  return pool;
}

/**
 * Whoever uses a connection that breaks hears of it from its query, and the pool replaces it; but the error is told to listeners as
 * well, and would end the process if there were none. The pool's own listener is there only while a connection is idle.
 */
export function hearErrors(pool: pg.Pool): void {
  pool.on("connect", (client) => client.on("error", () => {}));
  pool.on("error", () => {});
}

const parseTimestamp = pg.types.getTypeParser(TIMESTAMPTZ) as (text: string) => Date;

function getTypeParser(oid: number, format?: string): unknown {
  if (format === "binary") return pg.types.getTypeParser(oid, "binary");
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return (text: string) => parseTimestamp(text).getTime();
  return pg.types.getTypeParser(oid);
}
