import pg from "pg";
import { SECOND_MS } from "../time.ts";

const WAIT_MS_MAX = 5 * SECOND_MS;

/** Removes members that are known to be dead. What is taken away waits for them no longer. */
export async function forgetMembers(url: string, memberIds: readonly string[]): Promise<void> {
  await over(url, async (client) => {
    await client.query("delete from clavis.members where member_id = any ($1::uuid[])", [memberIds]);
  });
}

/**
 * The same for all of a Postgres that was only just started by who uses it: whoever joined before is gone, and with them all that
 * anyone trusted. So nothing has to settle first either, be it after a crash.
 */
export async function forgetAllMembers(url: string): Promise<void> {
  await over(url, async (client) => {
    await client.query("delete from clavis.members");
    await client.query("select clavis.begin_timeline(true)");
    await client.query("select clavis.settle_timeline(clavis.current_timeline(), true, true)");
  });
}

async function over(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "clavis members",
    connectionTimeoutMillis: WAIT_MS_MAX,
    query_timeout: WAIT_MS_MAX,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
