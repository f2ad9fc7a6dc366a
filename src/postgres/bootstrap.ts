import pg from "pg";

interface BootstrapOptions {
  /** As a superuser, into any database of the server. */
  readonly adminUrl: string;
  readonly database: string;
  readonly runtimeRole: string;
}

/** Makes the database and the runtime role of a Postgres of one's own, where they are not there yet. */
export async function bootstrap({ adminUrl, database, runtimeRole }: BootstrapOptions): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const role = await client.query("select from pg_roles where rolname = $1", [runtimeRole]);
    if (role.rowCount === 0) await client.query(`create role ${pg.escapeIdentifier(runtimeRole)} login`);
    const known = await client.query("select from pg_database where datname = $1", [database]);
    if (known.rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
}

/** The role that a URL connects as, by asking the server. */
export async function roleOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ role: string }>("select current_user as role");
    return rows[0]?.role ?? "";
  } finally {
    await client.end();
  }
}
