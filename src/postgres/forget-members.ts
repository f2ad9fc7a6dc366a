import pg from "pg";
import { SECOND_MS } from "../time.ts";

const WAIT_MS_MAX = 5 * SECOND_MS;

/**
 * Removes members that are known to be dead, or all of them where none are named: of a Postgres that was only just started by who
 * uses it, whoever joined before is gone. What is taken away waits for nobody of them any more.
 */
export async function forgetMembers(url: string, memberIds?: readonly string[]): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "clavis members",
    connectionTimeoutMillis: WAIT_MS_MAX,
    query_timeout: WAIT_MS_MAX,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("delete from clavis.members where $1::uuid[] is null or member_id = any ($1::uuid[])", [
      memberIds,
    ]);
  } finally {
    await client.end();
  }
}
