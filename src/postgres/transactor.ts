import { sql } from "kysely";
import pg from "pg";
import type { Call } from "../call.ts";
import type { Transaction, Transactor } from "../changes/transactor.ts";
import type { NewId } from "../ids.ts";
import { SECOND_MS } from "../time.ts";
import { createAuditLog } from "./audit-log.ts";
import { toUuid } from "./columns.ts";
import { bind, type Db, type LastStatements } from "./connection.ts";
import { createKeyStore } from "./key-store.ts";
import { createKeyspaceStore } from "./keyspace-store.ts";
import { createReplayStore } from "./replay-store.ts";
import { toFailure, troubleOf } from "./sqlstate.ts";
import { createTenantStore } from "./tenant-store.ts";

/** A transaction that loses against others runs again, this often in all. */
const ATTEMPTS_MAX = 4;

/** Longer waits for locks or answers than these mean that Postgres is in trouble, or that somebody holds a row for long. */
const LOCK_TIMEOUT_MS = 4 * SECOND_MS;
const STATEMENT_TIMEOUT_MS = 5 * SECOND_MS;

/** A process that is frozen in mid-transaction holds its locks no longer than this. */
const IDLE_TIMEOUT_MS = SECOND_MS / 2;

/**
 * Transactions of Postgres at READ COMMITTED: what must not change while it is decided upon is locked by name. Works through
 * PgBouncer in transaction mode, since all settings are local to the transaction.
 */
export function createTransactor({ pool, newId }: { pool: pg.Pool; newId: NewId }): Transactor {
  return {
    async write(call, tenantId, work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await attemptWrite(call, tenantId, work);
        } catch (error) {
          if (troubleOf(error) !== "conflict" || attempt === ATTEMPTS_MAX) throw toFailure(error);
        }
      }
    },
    read(call, tenantId, work) {
      return within(call, begin("repeatable read, read only", call, tenantId), (db) =>
        work(transactionOf(db, call, tenantId, [])),
      );
    },
    readTenants(call, work) {
      return within(call, begin("repeatable read, read only", call), (db) => work(createTenantStore(db)));
    },
  };

  function attemptWrite<T>(call: Call, tenantId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const last: LastStatements = [];
    const first = begin("read committed", call, tenantId);
    return within(call, first, (db) => work(transactionOf(db, call, tenantId, last)), last);
  }

  function transactionOf(db: Db, call: Call, tenantId: string, last: LastStatements): Transaction {
    return {
      tenantId,
      tenants: createTenantStore(db),
      keyspaces: createKeyspaceStore(db, tenantId),
      keys: createKeyStore(db, tenantId),
      audit: createAuditLog({ db, last, call, tenantId, newId }),
      replays: createReplayStore({ db, last, tenantId: isOperator(call) ? undefined : tenantId }),
      async mark() {
        const { xid, timeline } = await db
          .insertInto("clavis.changes")
          .values({ kind: "mark", entity_id: toUuid("ten", tenantId), version: 0 })
          .returning(["xid", sql<string | null>`clavis.current_timeline()`.as("timeline")])
          .executeTakeFirstOrThrow();
        return { timeline: timeline ?? "", xid: BigInt(xid) };
      },
    };
  }

  /** Runs `work` between `first` and COMMIT. A connection that is not known to be sound does not go back to the pool. */
  async function within<T>(
    { signal }: Call,
    first: string,
    work: (db: Db) => Promise<T>,
    last: LastStatements = [],
  ): Promise<T> {
    const client = await pool.connect().catch((error) => Promise.reject(toFailure(error)));
    let sound = true;
    try {
      // Whoever has gone while it waited for a connection gets nothing begun.
      signal.throwIfAborted();
      sound = false;
      await client.query(first);
      const result = await work(bind(client));
      await client.query([...last, "commit"].join("; "));
      sound = true;
      return result;
    } catch (error) {
      sound ||= await rolledBack(client, error);
      throw troubleOf(error) === "conflict" ? error : toFailure(error);
    } finally {
      client.release(!sound);
    }
  }
}

function begin(mode: string, call: Call, tenantId?: string): string {
  const settings = [
    `begin isolation level ${mode}`,
    `set local lock_timeout = ${LOCK_TIMEOUT_MS}`,
    `set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
    `set local idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
  ];
  // Row-level security goes by these.
  if (tenantId !== undefined)
    settings.push(`set local clavis.tenant_id = ${pg.escapeLiteral(toUuid("ten", tenantId))}`);
  if (isOperator(call)) settings.push("set local clavis.operator = 'on'");
  return settings.join("; ");
}

/** Who stands above tenants. */
function isOperator({ principal }: Call): boolean {
  return principal.type === "operator" || principal.type === "system";
}

async function rolledBack(client: pg.PoolClient, error: unknown): Promise<boolean> {
  if (troubleOf(error) === "away") return false;
  return client.query("rollback").then(
    () => true,
    () => false,
  );
}
