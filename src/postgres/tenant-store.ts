import type { Insertable, Selectable } from "kysely";
import type { Tenant } from "../tenants/tenant.ts";
import type { TenantStore } from "../tenants/tenant-store.ts";
import { fromUuid, toTime, toUuid } from "./columns.ts";
import type { Db } from "./connection.ts";
import type { TenantTable } from "./schema.ts";

const columns = [
  "tenant_id",
  "display_name",
  "suspended",
  "management_keyspace_id",
  "version",
  "create_time",
  "update_time",
] as const;

export function createTenantStore(db: Db): TenantStore {
  return {
    async insert(tenant) {
      const row = toRow(tenant);
      await db.insertInto("clavis.tenants").values(row).execute();
      const head = { tenant_id: row.tenant_id, sequence: 0, time: row.create_time };
      await db.insertInto("clavis.audit_heads").values(head).execute();
    },
    async find(tenantId) {
      const row = await select(tenantId).executeTakeFirst();
      return row && fromRow(row);
    },
    async findShared(tenantId) {
      const row = await select(tenantId).forShare().executeTakeFirst();
      return row && fromRow(row);
    },
    async findLocked(tenantId) {
      const row = await select(tenantId).forNoKeyUpdate().executeTakeFirst();
      return row && fromRow(row);
    },
    async update(tenant) {
      const { tenant_id, create_time: _, ...changed } = toRow(tenant);
      await db.updateTable("clavis.tenants").set(changed).where("tenant_id", "=", tenant_id).execute();
    },
    async list({ afterId, limit }) {
      const rows = await db
        .selectFrom("clavis.tenants")
        .select(columns)
        .$if(afterId !== undefined, (query) => query.where("tenant_id", "<", toUuid("ten", afterId as string)))
        .orderBy("tenant_id", "desc")
        .limit(limit)
        .execute();
      return rows.map(fromRow);
    },
  };

  function select(tenantId: string) {
    return db.selectFrom("clavis.tenants").select(columns).where("tenant_id", "=", toUuid("ten", tenantId));
  }
}

function toRow(tenant: Tenant): Insertable<TenantTable> {
  return {
    tenant_id: toUuid("ten", tenant.id),
    display_name: tenant.displayName,
    suspended: tenant.suspended,
    management_keyspace_id: toUuid("ks", tenant.managementKeyspaceId),
    version: tenant.version,
    create_time: toTime(tenant.createTime),
    update_time: toTime(tenant.updateTime),
  };
}

function fromRow(row: Selectable<TenantTable>): Tenant {
  return {
    id: fromUuid("ten", row.tenant_id),
    displayName: row.display_name,
    suspended: row.suspended,
    managementKeyspaceId: fromUuid("ks", row.management_keyspace_id),
    version: row.version,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}
