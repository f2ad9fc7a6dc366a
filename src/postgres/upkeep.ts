import { setTimeout } from "node:timers/promises";
import type { Pool } from "pg";
import type { Log } from "../log.ts";
import { MINUTE_MS, SECOND_MS } from "../time.ts";
import { REPLAY_AGE } from "./replay-store.ts";

interface UpkeepOptions {
  readonly pool: Pool;
  readonly log: Log;
  /** Told whenever it is known anew whether Postgres takes changes. */
  readonly onWritable: (writable: boolean) => void;
}

const PROBE_INTERVAL_MS = SECOND_MS;

/** Who waits for longer than that is better served by another replica. */
const PROBE_TIMEOUT_MS = 2 * SECOND_MS;

const TRIM_INTERVAL_MS = 10 * MINUTE_MS;
const TRIM_BATCH = 1000;

/** What has to be done again and again while the service runs: asking whether Postgres is there, forgetting old replays. */
export function startUpkeep({ pool, log, onWritable }: UpkeepOptions): Disposable {
  const stop = new AbortController();
  void repeat(PROBE_INTERVAL_MS, stop.signal, async () => onWritable(await isWritable(pool)));
  void repeat(TRIM_INTERVAL_MS, stop.signal, async () => {
    try {
      await trimReplays(pool);
    } catch (error) {
      log.warn({ error }, "old replays stay for now");
    }
  });
  return {
    [Symbol.dispose]() {
      stop.abort();
    },
  };
}

/**
 * Whether this is a primary that takes changes: a standby, or a primary of before, answers `select 1` for ever. A connection
 * to one that does not goes, since what it was told when it began may hold no more for new ones.
 */
export async function isWritable(pool: Pool): Promise<boolean> {
  try {
    const client = await pool.connect();
    let writable = false;
    try {
      const { rows } = await client.query<{ read_only: string }>(probe);
      writable = rows[0]?.read_only === "off";
    } finally {
      client.release(!writable);
    }
    return writable;
  } catch {
    return false;
  }
}

const probe = {
  // Also on while a standby recovers.
  text: "select current_setting('transaction_read_only') as read_only",
  query_timeout: PROBE_TIMEOUT_MS,
};

async function trimReplays(pool: Pool): Promise<void> {
  let gone: number;
  do {
    const { rows } = await pool.query<{ gone: number }>("select clavis.trim_replays($1::interval) as gone", [
      REPLAY_AGE,
    ]);
    gone = rows[0]?.gone ?? 0;
  } while (gone === TRIM_BATCH);
}

/** Runs `work`, then waits, until the signal aborts. Keeps no process alive. */
async function repeat(intervalMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await setTimeout(intervalMs, undefined, { signal, ref: false }).catch(() => {});
  }
}
