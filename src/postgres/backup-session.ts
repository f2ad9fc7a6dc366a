import pg from "pg";
import { BackupError } from "../backup/backup-error.ts";
import { BACKUP_TABLES, type BackupTable } from "./backup-tables.ts";
import { migrations } from "./migrations/index.ts";

/**
 * A database, and how long it is of interest: the connection ends at once when the signal aborts, whatever it waits
 * for.
 */
export interface BackupPlace {
  /** As the owner of the tables. */
  readonly url: string;
  readonly signal: AbortSignal;
}

interface PresentTable extends BackupTable {
  readonly hidden: boolean;
}

/** A connection as the owner of the tables, for one long transaction over all of them. */
export interface BackupSession extends AsyncDisposable {
  readonly client: pg.Client;
  /** Of the tables that a backup has, those that are there. */
  readonly tables: readonly BackupTable[];
  /** Settings for the transaction, as statements. */
  readonly settings: readonly string[];
}

/** Since this version of Postgres a transaction may be limited in time as a whole. */
const TRANSACTION_TIMEOUT_VERSION = 170_000;

/**
 * Connects, and looks at what is there.
 *
 * @throws BackupError if row-level security would hide rows from this role: a backup of what it sees would look whole
 */
export async function openBackupSession({ url, signal }: BackupPlace, applicationName: string): Promise<BackupSession> {
  const client = new pg.Client({ connectionString: url, application_name: applicationName, keepAlive: true });
  // A connection that breaks between two statements is told by the next one; without a listener it would end the
  // process.
  client.on("error", () => {});
  const giveUp = () => void client.end();
  signal.addEventListener("abort", giveUp);
  const close = async () => {
    signal.removeEventListener("abort", giveUp);
    await client.end();
  };
  try {
    signal.throwIfAborted();
    await client.connect();
    const { rows } = await client.query<{ version: number }>(
      "select current_setting('server_version_num')::int as version",
    );
    const tables = await presentTables(client);
    if (tables.some(({ hidden }) => hidden)) {
      throw new BackupError(
        "row-level security hides rows from this role: use the URL of the tables' owner, CLAVIS_MIGRATE_DATABASE_URL",
      );
    }
    return {
      client,
      tables,
      settings: settingsFor(rows[0]?.version ?? 0),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Of the tables that a backup has, those that are there, and whether row-level security binds the connection's role in
 * them.
 */
export async function presentTables(client: pg.Client): Promise<readonly PresentTable[]> {
  const { rows } = await client.query<{ name: string; hidden: boolean }>(
    `select c.relname as name, row_security_active(c.oid) as hidden
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'clavis' and c.relkind in ('r', 'p') and not c.relispartition`,
  );
  const hidden = new Map(rows.map((row) => [row.name, row.hidden]));
  return BACKUP_TABLES.filter(({ name }) => hidden.has(name)).map((table) => ({
    ...table,
    hidden: hidden.get(table.name) === true,
  }));
}

function settingsFor(version: number): string[] {
  const limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
  if (version >= TRANSACTION_TIMEOUT_VERSION) limits.push("transaction_timeout");
  return [
    // Limits that are set for the service would end what takes as long as it takes.
    ...limits.map((name) => `set local ${name} = 0`),
    // Fails instead of leaving out rows, should the look before have been wrong.
    "set local row_security = off",
    "set local bytea_output = hex",
    "set local timezone = 'UTC'",
  ];
}

/** The migrations that the database has had, in order. @throws BackupError if this version does not know all of them */
export async function appliedMigrations(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>("select name from clavis.migrations order by name");
  const applied = rows.map(({ name }) => name);
  const unknown = unknownAmong(applied);
  if (unknown.length > 0) {
    throw new BackupError(
      `the database was migrated by a later version of Clavis (${unknown.join(", ")}): use that one`,
    );
  }
  return applied;
}

/** Migrations that this version does not know, among those with these names. */
export function unknownAmong(names: readonly string[]): readonly string[] {
  return names.filter((name) => !Object.hasOwn(migrations, name));
}

/** All columns of a table that hold something of their own, in order. None if there is no such table. */
export async function columnsOf(client: pg.Client, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = to_regclass(format('clavis.%I', $1::text))
       and attnum > 0 and not attisdropped and attgenerated = ''
     order by attnum`,
    [table],
  );
  return rows.map(({ name }) => name);
}

/** The table's name as it stands in statements. */
export function qualified(table: string): string {
  return `clavis.${pg.escapeIdentifier(table)}`;
}
