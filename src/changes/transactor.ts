import type { AuditLog } from "../audit/audit-log.ts";
import type { Call } from "../call.ts";
import type { ChangeId } from "../coherence/position.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { KeyspaceStore } from "../keyspaces/keyspace-store.ts";
import type { TenantStore } from "../tenants/tenant-store.ts";
import type { ReplayStore } from "./replay-store.ts";

/** All that one transaction may touch, for the tenant that it was opened for and no other. */
export interface Transaction {
  readonly tenantId: string;
  readonly tenants: TenantStore;
  readonly keyspaces: KeyspaceStore;
  readonly keys: KeyStore;
  readonly audit: AuditLog;
  readonly replays: ReplayStore;
  /**
   * Makes sure that the transaction is in the change feed, also if it found nothing left to change: what it found may have been
   * changed a moment ago, and be waited for by nobody any more. Once per transaction. The timeline is empty if none has begun.
   */
  mark(): Promise<ChangeId>;
}

/** Opens transactions. `test/integration/transactor.test.ts` holds the adapter to this. */
export interface Transactor {
  /**
   * Runs `work` and commits all that it did, or nothing. Where Postgres asks for it (deadlock, serialization) it runs again from the
   * start, a few times; so it has no effects but on its transaction. Throws STORE_UNAVAILABLE when Postgres does not answer.
   */
  write<T>(call: Call, tenantId: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Runs `work` on one snapshot. It can change nothing. */
  read<T>(call: Call, tenantId: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** As `read`, over the tenants of the deployment; keys and keyspaces are out of sight. */
  readTenants<T>(call: Call, work: (tenants: TenantStore) => Promise<T>): Promise<T>;
}
