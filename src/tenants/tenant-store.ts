import type { Tenant } from "./tenant.ts";

/** Where tenants live, within a transaction. One opened for a tenant sees that tenant alone. */
export interface TenantStore {
  insert(tenant: Tenant): Promise<void>;
  find(tenantId: string): Promise<Tenant | undefined>;
  /** As `find`, and it stays as it is until the transaction ends. */
  findShared(tenantId: string): Promise<Tenant | undefined>;
  /** As `find`, and nobody else changes it until the transaction ends. */
  findLocked(tenantId: string): Promise<Tenant | undefined>;
  /** Writes all fields that can change. */
  update(tenant: Tenant): Promise<void>;
  /** Newest first: up to `limit` that are older than `afterId`. */
  list(query: { readonly afterId: string | undefined; readonly limit: number }): Promise<readonly Tenant[]>;
}
