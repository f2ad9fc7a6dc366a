import pg from "pg";
import { until } from "./until.ts";

/** One connection of a test's own, to look at what is stored and to hold locks. */
export interface Sql extends AsyncDisposable {
  /** The rows of one statement. */
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export async function openSql(url: string): Promise<Sql> {
  const client = new pg.Client({ connectionString: url });
  // The server may be killed under it; the next query says so.
  client.on("error", () => {});
  await client.connect();
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      return (await client.query<Row>(text, [...values])).rows;
    },
    async [Symbol.asyncDispose]() {
      await client.end().catch(() => {});
    },
  };
}

/** Resolves with the ids of the backends of this database that wait for a lock, once there are at least `count` of them. */
export function lockWaiters(sql: Sql, count: number): Promise<number[]> {
  return until(`${count} wait for a lock`, async () => {
    // Within a transaction the first look would otherwise stand for all.
    await sql.query("select pg_stat_clear_snapshot()");
    const rows = await sql.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length >= count && rows.map(({ pid }) => pid);
  });
}
