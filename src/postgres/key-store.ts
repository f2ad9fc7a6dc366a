import { sql } from "kysely";
import type { KeyQuery, KeyStore } from "../keys/key-store.ts";
import { fromDigest, toDigest, toTime, toUuid } from "./columns.ts";
import type { Db } from "./connection.ts";
import { matches, orderExpression } from "./key-filter.ts";
import { keyColumns, keyFromRow, keyToRow } from "./key-row.ts";

/** Columns that an update writes: all but those that say which key it is, and since when. */
const changeableColumns = keyColumns.filter(
  (column) => !["tenant_id", "keyspace_id", "key_id", "create_time"].includes(column),
);

/** Every permission that grants `clavis.management_keys.create`. */
const ADMINISTRATOR = ["*", "clavis.*", "clavis.management_keys.*", "clavis.management_keys.create"];

export function createKeyStore(db: Db, tenantId: string): KeyStore {
  const tenant_id = toUuid("ten", tenantId);
  return {
    async insert(rows) {
      await db
        .insertInto("clavis.keys")
        .values(rows.map(({ key }) => keyToRow(key)))
        .execute();
      const added = await db
        .insertInto("clavis.key_secrets")
        .values(rows.map(({ key, digest }) => secretRow(key.id, digest)))
        .onConflict((conflict) => conflict.doNothing())
        .returning("digest")
        .execute();
      if (added.length === rows.length) return { inserted: true };
      const fresh = new Set(added.map(({ digest }) => fromDigest(digest)));
      return { inserted: false, knownDigests: rows.map(({ digest }) => digest).filter((digest) => !fresh.has(digest)) };
    },
    async find(keyId) {
      const row = await select(keyId).executeTakeFirst();
      return row && keyFromRow(row);
    },
    async findShared(keyId) {
      const row = await select(keyId).forShare().executeTakeFirst();
      return row && keyFromRow(row);
    },
    async findLocked(keyId) {
      const row = await select(keyId).forUpdate().executeTakeFirst();
      return row && keyFromRow(row);
    },
    async update(keys) {
      if (keys.length === 0) return;
      // As an upsert, one statement takes any number of keys. None is new: each was read under a lock.
      await db
        .insertInto("clavis.keys")
        .values(keys.map(keyToRow))
        .onConflict((conflict) =>
          conflict
            .column("key_id")
            .doUpdateSet((is) =>
              Object.fromEntries(changeableColumns.map((column) => [column, is.ref(`excluded.${column}`)])),
            ),
        )
        .execute();
    },
    async addSecret(keyId, digest) {
      await db.insertInto("clavis.key_secrets").values(secretRow(keyId, digest)).execute();
    },
    async stopSecrets(keyId, time) {
      await updateSecrets(keyId, time).execute();
    },
    async stopStoppingSecrets(keyId, time) {
      await updateSecrets(keyId, time).where("stop_time", "is not", null).execute();
    },
    async delete(keyId) {
      await db
        .deleteFrom("clavis.keys")
        .where("tenant_id", "=", tenant_id)
        .where("key_id", "=", toUuid("key", keyId))
        .execute();
    },
    async list(query) {
      const rows = await selectMany(query).execute();
      return rows.map(keyFromRow);
    },
    async listLocked(query) {
      const rows = await selectMany(query).forUpdate().execute();
      return rows.map(keyFromRow);
    },
    async countLive(keyspaceId, now, exceptIds = []) {
      return count(keyspaceId, exceptIds, sql`revoke_time is null and coalesce(expire_time > ${toTime(now)}, true)`);
    },
    async countAdministrators(keyspaceId, now, exceptIds = []) {
      const time = toTime(now);
      return count(
        keyspaceId,
        exceptIds,
        sql`revoke_time is null and not disabled and coalesce(expire_time > ${time}, true)
            and coalesce(not_before_time <= ${time}, true) and allowed_keyspace_ids = '{}' and permissions && ${ADMINISTRATOR}::text[]`,
      );
    },
  };

  function select(keyId: string) {
    return db
      .selectFrom("clavis.keys")
      .select(keyColumns)
      .where("tenant_id", "=", tenant_id)
      .where("key_id", "=", toUuid("key", keyId));
  }

  function selectMany(query: KeyQuery) {
    const direction = query.descending ? "desc" : "asc";
    return db
      .selectFrom("clavis.keys")
      .select(keyColumns)
      .where("tenant_id", "=", tenant_id)
      .where((is) => matches(is, query))
      .orderBy(orderExpression(query.order), direction)
      .orderBy("key_id", direction)
      .limit(query.limit);
  }

  function updateSecrets(keyId: string, time: number) {
    return db
      .updateTable("clavis.key_secrets")
      .set({ stop_time: sql`least(stop_time, ${toTime(time)}::timestamptz)` })
      .where("tenant_id", "=", tenant_id)
      .where("key_id", "=", toUuid("key", keyId));
  }

  function secretRow(keyId: string, digest: string) {
    return { tenant_id, key_id: toUuid("key", keyId), digest: toDigest(digest), stop_time: null };
  }

  async function count(
    keyspaceId: string,
    exceptIds: readonly string[],
    condition: ReturnType<typeof sql>,
  ): Promise<number> {
    const except = exceptIds.map((id) => toUuid("key", id));
    const { rows } = await sql<{ count: number }>`
      select count(*) as count from clavis.keys
      where tenant_id = ${tenant_id} and keyspace_id = ${toUuid("ks", keyspaceId)} and key_id <> all (${except}::uuid[]) and ${condition}
    `.execute(db);
    return rows[0]?.count ?? 0;
  }
}
