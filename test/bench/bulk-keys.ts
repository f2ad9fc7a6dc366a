import { hash } from "node:crypto";
import { formatSecret } from "@clavis/sdk/rules";
import pg from "pg";
import { uuidOf } from "../../src/ids.ts";

/** Keys by the million, past the service: as it would have written them, in one keyspace that is there. */
export interface BulkKeys {
  /** As the superuser: neither row-level security nor triggers take part. */
  readonly ownerUrl: string;
  readonly keyspaceId: string;
  readonly count: number;
  readonly permissions: readonly string[];
  /** Hears how many are there. */
  readonly onProgress?: (done: number) => void;
}

const CHUNK = 50_000;

/** The secret of the key with this number, from 0 on. Nobody has to keep ten million. */
export function bulkSecret(number: number): string {
  return formatSecret("acme_live", String(number).padStart(43, "0"));
}

/** Indexes go before and come again after, which takes a fraction of the time. */
export async function addBulkKeys({ ownerUrl, keyspaceId, count, permissions, onProgress }: BulkKeys): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query(
    "set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '512MB'",
  );
  const restore = await dropIndexes(client);
  for (let done = 0; done < count; done += CHUNK) {
    const numbers = Array.from({ length: Math.min(CHUNK, count - done) }, (_, index) => done + index);
    const digests = numbers.map((number) => `\\x${hash("sha256", bulkSecret(number))}`);
    await client.query(insertKeys, [uuidOf("ks", keyspaceId), done, numbers.length, permissions]);
    await client.query(insertSecrets, [uuidOf("ks", keyspaceId), done, digests]);
    onProgress?.(done + numbers.length);
  }
  for (const statement of restore) await client.query(statement);
  await client.query("vacuum analyze clavis.keys, clavis.key_secrets");
  await client.end();
}

/** The order of the ids is that of the numbers, as ids are made in the order of time. */
const keyId = (number: string) => `('018f' || lpad(to_hex(${number}), 28, '0'))::uuid`;

const insertKeys = `
  insert into clavis.keys (tenant_id, keyspace_id, key_id, display_name, owner_id, permissions, metadata, masked_secret,
                           secret_create_time, version, create_time, update_time)
  select tenant_id, keyspace_id, ${keyId("$2::bigint + n")}, 'CI', 'customer-' || n, $4::text[], '{"plan":"pro"}', 'acme_live_0000...0000',
         now(), 1, now(), now()
    from clavis.keyspaces, generate_series(0, $3::bigint - 1) n where keyspace_id = $1::uuid`;

const insertSecrets = `
  insert into clavis.key_secrets (digest, tenant_id, key_id)
  select digest, tenant_id, ${keyId("$2::bigint + n - 1")}
    from clavis.keyspaces, unnest($3::bytea[]) with ordinality as list(digest, n) where keyspace_id = $1::uuid`;

/** Drops what is built faster at once. Comes back with the statements that bring it again. */
async function dropIndexes(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
      where indrelid in ('clavis.keys'::regclass, 'clavis.key_secrets'::regclass) and not indisunique`);
  for (const { name } of rows) await client.query(`drop index ${name}`);
  await client.query("alter table clavis.key_secrets drop constraint key_secrets_pkey");
  return [
    "alter table clavis.key_secrets add primary key (digest, tenant_id)",
    ...rows.map(({ definition }) => definition),
  ];
}
