import { randomUUID } from "node:crypto";
import { createClavis } from "@clavis/sdk";
import { expect, onTestFinished } from "vitest";
import { reachEmbeddedDatabase } from "../../src/embedded-database.ts";
import { openTestDatabase, type TestDatabase } from "./postgres.ts";
import { testEnvironment } from "./service.ts";
import { openSql } from "./sql.ts";
import { openTemporaryFolder } from "./temporary-folder.ts";
import type { KnownSecret } from "./varied-keys.ts";

type Env = Record<string, string>;

/** The path of an empty folder, which goes with the test. */
export async function aFolder(): Promise<string> {
  const folder = await openTemporaryFolder();
  onTestFinished(async () => await folder[Symbol.asyncDispose]());
  return folder.path;
}

/** A database that has never seen Clavis, and whose owner is no superuser. It goes with the test. */
export async function anEmptyDatabase(): Promise<OwnedDatabase> {
  const database = await openTestDatabase();
  const owner = `owner_${randomUUID().replaceAll("-", "")}`;
  await using sql = await openSql(database.adminUrl);
  onTestFinished(async () => {
    await database[Symbol.asyncDispose]();
    await using admin = await openSql(withDatabase(database.adminUrl, "postgres"));
    await admin.query(`drop role ${owner}`);
  });
  const [{ name } = { name: "" }] = await sql.query<{ name: string }>("select current_database() as name");
  await sql.query("drop schema clavis cascade");
  await sql.query(`create role ${owner} login`);
  await sql.query(`alter database ${name} owner to ${owner}`);
  return { url: database.url, adminUrl: withRole(database.adminUrl, owner) };
}

/** As the service's role, and as the owner of what is in it. */
type OwnedDatabase = Pick<TestDatabase, "url" | "adminUrl">;

function withRole(url: string, role: string): string {
  return url.replace(/\/\/[^@]+@/, `//${role}@`);
}

function withDatabase(url: string, database: string): string {
  return url.replace(/@\/[^?]+/, `@/${database}`);
}

/** The environment of a Clavis in the data folder at `path`. */
export function embeddedIn(path: string): Env & { CLAVIS_DATA_DIR: string } {
  const { CLAVIS_DATABASE_URL: _, ...env } = testEnvironment("");
  return { ...env, CLAVIS_DATA_DIR: path };
}

/** The environment of a Clavis on `database`, for who also owns its tables. */
export function serverOn({ url, adminUrl }: OwnedDatabase): Env {
  return { ...testEnvironment(url), CLAVIS_MIGRATE_DATABASE_URL: adminUrl };
}

/** What `look` finds in the database in a data folder. */
export async function onEmbedded<T>(path: string, look: (ownerUrl: string) => Promise<T>): Promise<T> {
  await using database = await reachEmbeddedDatabase(path);
  return await look(database.ownerUrl.reveal());
}

/** Fails unless each secret is worth what it is to be worth. */
export async function expectOutcomes(url: string, token: string, secrets: readonly KnownSecret[]): Promise<void> {
  await using clavis = createClavis({ baseUrl: url, token });
  const found = await Promise.all(
    secrets.map(async ({ secret, keyspaceId, ...known }) => {
      const { outcome } = await clavis.verify({ secret, keyspaceId, clientIp: "127.0.0.1" });
      return { ...known, outcome };
    }),
  );
  expect(found).toEqual(secrets.map(({ what, outcome }) => ({ what, outcome })));
  expect(found.length).toBeGreaterThan(10);
}

/** Fails unless each tenant's events are numbered from 1 on, without a gap, up to what its head says. */
export async function expectGapless(ownerUrl: string): Promise<void> {
  await using sql = await openSql(ownerUrl);
  const tenants = await sql.query<{ head: string; last: string; count: string }>(
    `select h.sequence as head, max(e.sequence) as last, count(*) as count
     from clavis.audit_heads h join clavis.audit_events e using (tenant_id) group by h.tenant_id`,
  );
  expect(tenants.length).toBeGreaterThan(0);
  for (const { head, last, count } of tenants) expect([last, count]).toEqual([head, head]);
}

/** Fills an empty database with one tenant and `count` keys of some size. */
export async function fill(ownerUrl: string, count: number): Promise<void> {
  await using sql = await openSql(ownerUrl);
  const tenant = "00000000-0000-7000-8000-000000000001";
  const keyspace = "00000000-0000-7000-8000-000000000002";
  await sql.query("insert into clavis.tenants values ($1, 'Large', false, $2, 1, now(), now())", [tenant, keyspace]);
  await sql.query(
    `insert into clavis.keyspaces (tenant_id, keyspace_id, display_name, prefix, version, create_time, update_time)
     values ($1, $2, 'Large', 'large', 1, now(), now())`,
    [tenant, keyspace],
  );
  await sql.query(
    `insert into clavis.keys (tenant_id, keyspace_id, key_id, display_name, metadata, masked_secret,
                              secret_create_time, version, create_time, update_time)
     select $1, $2, gen_random_uuid(), 'Key ' || n, jsonb_build_object('note', repeat(md5(n::text), 10)), 'large_',
            now(), 1, now(), now()
     from generate_series(1, $3) n`,
    [tenant, keyspace, count],
  );
  await sql.query(
    `insert into clavis.key_secrets (digest, tenant_id, key_id)
     select sha256(convert_to(key_id::text, 'UTF8')), tenant_id, key_id from clavis.keys`,
  );
}
