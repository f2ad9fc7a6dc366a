import { Kysely, PostgresDialect } from "kysely";
import type { Pool, PoolClient } from "pg";
import type { Schema } from "./schema.ts";

/** One connection, within a transaction. */
export type Db = Kysely<Schema>;

/** Statements, values included, that a transaction sends with its COMMIT in one round trip. */
export type LastStatements = string[];

/** Kysely on this one connection, which stays the caller's to begin, commit and release. */
export function bind(client: PoolClient): Db {
  const connection = { query: client.query.bind(client), release() {} };
  const pool = { connect: async () => connection, end: async () => {}, options: {} };
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: pool as unknown as Pool }) });
}
