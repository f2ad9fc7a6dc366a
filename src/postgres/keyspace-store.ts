import type { Insertable, Selectable } from "kysely";
import type { Keyspace } from "../keyspaces/keyspace.ts";
import type { KeyspaceStore } from "../keyspaces/keyspace-store.ts";
import { fromUuid, toTime, toUuid } from "./columns.ts";
import type { Db } from "./connection.ts";
import type { KeyspaceTable } from "./schema.ts";

const columns = [
  "tenant_id",
  "keyspace_id",
  "display_name",
  "prefix",
  "earlier_prefixes",
  "default_ttl_ms",
  "max_ttl_ms",
  "grantable_permissions",
  "disabled",
  "management",
  "revocation_mode",
  "mode_version",
  "mode_settled",
  "version",
  "create_time",
  "update_time",
] as const;

export function createKeyspaceStore(db: Db, tenantId: string): KeyspaceStore {
  const tenant_id = toUuid("ten", tenantId);
  return {
    async insert(keyspace) {
      await db.insertInto("clavis.keyspaces").values(toRow(keyspace)).execute();
    },
    async find(keyspaceId) {
      const row = await select(keyspaceId).executeTakeFirst();
      return row && fromRow(row);
    },
    async findShared(keyspaceId) {
      const row = await select(keyspaceId).forShare().executeTakeFirst();
      return row && fromRow(row);
    },
    async findLocked(keyspaceId) {
      const row = await select(keyspaceId).forUpdate().executeTakeFirst();
      return row && fromRow(row);
    },
    async update(keyspace) {
      const { tenant_id: _, keyspace_id, management: __, create_time: ___, ...changed } = toRow(keyspace);
      await db
        .updateTable("clavis.keyspaces")
        .set(changed)
        .where("tenant_id", "=", tenant_id)
        .where("keyspace_id", "=", keyspace_id)
        .execute();
    },
    async delete(keyspaceId) {
      await db
        .deleteFrom("clavis.keyspaces")
        .where("tenant_id", "=", tenant_id)
        .where("keyspace_id", "=", toUuid("ks", keyspaceId))
        .execute();
    },
    async list({ ids, management, afterId, limit }) {
      const rows = await db
        .selectFrom("clavis.keyspaces")
        .select(columns)
        .where("tenant_id", "=", tenant_id)
        .$if(!management, (query) => query.where("management", "=", false))
        .$if(ids !== undefined, (query) =>
          query.where((is) =>
            is.or([is("keyspace_id", "in", ids?.map((id) => toUuid("ks", id)) ?? []), is("management", "=", true)]),
          ),
        )
        .$if(afterId !== undefined, (query) => query.where("keyspace_id", "<", toUuid("ks", afterId as string)))
        .orderBy("keyspace_id", "desc")
        .limit(limit)
        .execute();
      return rows.map(fromRow);
    },
  };

  function select(keyspaceId: string) {
    return db
      .selectFrom("clavis.keyspaces")
      .select(columns)
      .where("tenant_id", "=", tenant_id)
      .where("keyspace_id", "=", toUuid("ks", keyspaceId));
  }
}

function toRow(keyspace: Keyspace): Insertable<KeyspaceTable> {
  return {
    tenant_id: toUuid("ten", keyspace.tenantId),
    keyspace_id: toUuid("ks", keyspace.id),
    display_name: keyspace.displayName,
    prefix: keyspace.prefix,
    earlier_prefixes: keyspace.earlierPrefixes,
    default_ttl_ms: keyspace.defaultTtlMs,
    max_ttl_ms: keyspace.maxTtlMs,
    grantable_permissions: keyspace.grantablePermissions,
    disabled: keyspace.disabled,
    management: keyspace.management,
    revocation_mode: keyspace.revocationMode,
    mode_version: keyspace.modeVersion,
    mode_settled: keyspace.modeSettled,
    version: keyspace.version,
    create_time: toTime(keyspace.createTime),
    update_time: toTime(keyspace.updateTime),
  };
}

function fromRow(row: Selectable<KeyspaceTable>): Keyspace {
  return {
    id: fromUuid("ks", row.keyspace_id),
    tenantId: fromUuid("ten", row.tenant_id),
    displayName: row.display_name,
    prefix: row.prefix,
    earlierPrefixes: row.earlier_prefixes,
    defaultTtlMs: row.default_ttl_ms,
    maxTtlMs: row.max_ttl_ms,
    grantablePermissions: row.grantable_permissions,
    disabled: row.disabled,
    management: row.management,
    revocationMode: row.revocation_mode,
    modeVersion: row.mode_version,
    modeSettled: row.mode_settled,
    version: row.version,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}
