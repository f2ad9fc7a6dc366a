import pg from "pg";
import type { Turn } from "./contest.ts";
import { openRepeatedScript } from "./repeated-script.ts";

/** Where one more pays in throughput on a small machine, and where none does on a large one. */
const CLIENT_COUNTS = [2, 4, 8, 16, 32, 64] as const;

/** Long enough to tell client counts apart. */
const TRIAL_SECONDS = 1;

export interface PrimaryKeySelects extends AsyncDisposable {
  readonly name: string;
  /** How many clients did best. */
  readonly clients: number;
  readonly turn: Turn;
}

/**
 * Prepared selects of one key each by a primary key, at the client count that does best: what Postgres could give to who asks for one key
 * at a time. Of the keys that are there, in a table of their own whose primary key is a number, since pgbench draws numbers.
 */
export async function openPrimaryKeySelects(ownerUrl: string): Promise<PrimaryKeySelects> {
  const keys = await copyKeys(ownerUrl);
  const text =
    "select tenant_id, keyspace_id, key_id, owner_id, display_name, permissions, metadata, expire_time, revoke_time from bench_keys where number = $1";
  const script = await openRepeatedScript(ownerUrl, [[{ text, parameters: [{ random: keys }] }]]);
  const trials: [clients: number, perSecond: number][] = [];
  for (const clients of CLIENT_COUNTS) trials.push([clients, await script.run(clients, TRIAL_SECONDS)]);
  const [[clients] = [1]] = trials.toSorted(([, one], [, other]) => other - one);
  return { ...script, clients, turn: (seconds) => script.run(clients, seconds) };
}

/** How many there are. */
async function copyKeys(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query("create table bench_keys as select row_number() over () as number, * from clavis.keys");
  await client.query("alter table bench_keys add primary key (number)");
  await client.query("vacuum analyze bench_keys");
  const { rows } = await client.query<{ count: string }>("select count(*) from bench_keys");
  await client.end();
  return Number(rows[0]?.count);
}
