import { chmod, chown, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Owner, serverUserOf } from "../../src/embedded/server-user.ts";
import { startBoundProcess, startOnFreePort } from "./bound-process.ts";
import { findProgram } from "./debian-program.ts";
import { sayMissing } from "./missing.ts";
import { openTemporaryFolder } from "./temporary-folder.ts";

export interface TestPgBouncer extends AsyncDisposable {
  /** The same database and role as in the URL in front of which it stands. */
  readonly url: string;
}

/** Connections to Postgres for each database and role: few, so that transactions of different clients do share them. */
const POOL_SIZE = 5;

/**
 * A PgBouncer in transaction mode in front of the Postgres at `url`, for the URL's role alone.
 *
 * Undefined if there is none to be had, which is said loudly; an error where `REQUIRE_PGBOUNCER=1`.
 */
export async function openPgBouncer(url: string): Promise<TestPgBouncer | undefined> {
  const program = await findProgram(["pgbouncer"], "pgbouncer");
  if (program === undefined) return sayMissing("PgBouncer", "REQUIRE_PGBOUNCER");

  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await openTemporaryFolder());
  const upstream = parseUrl(url);
  const user = serverUserOf(await ownerFor(upstream.host));
  const configPath = join(folder.path, "pgbouncer.ini");
  const usersPath = join(folder.path, "users.txt");
  await writeFile(usersPath, `"${upstream.role}" "${upstream.password}"\n`, { mode: 0o600 });
  await chown(usersPath, user.uid, user.gid);
  const port = await startOnFreePort(async (candidate) => {
    await writeFile(configPath, toConfig({ ...upstream, listenPort: candidate, usersPath }));
    await chmod(configPath, 0o644);
    stack.use(await startBoundProcess({ program, args: [configPath], folder: folder.path, ready: /process up/, user }));
    return candidate;
  });
  const kept = stack.move();
  return {
    url: `postgresql://${upstream.role}@127.0.0.1:${port}/${upstream.database}?sslmode=disable`,
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}

interface Upstream {
  readonly host: string;
  readonly port: string;
  readonly role: string;
  readonly password: string;
  readonly database: string;
}

function parseUrl(text: string): Upstream {
  // A socket's URL has no host between the slashes, which `URL` does not take.
  const url = new URL(text.replace("@/", "@socket/"));
  return {
    host: url.searchParams.get("host") ?? url.hostname,
    port: url.searchParams.get("port") ?? (url.port || "5432"),
    role: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
  };
}

/** PgBouncer refuses root as Postgres does, and only the socket's owner may enter its folder. */
async function ownerFor(host: string): Promise<Owner> {
  if (host.startsWith("/")) return await stat(host);
  const uid = process.getuid?.();
  return uid === undefined || uid === 0 ? { uid: 65534, gid: 65534 } : { uid, gid: process.getgid?.() ?? uid };
}

function toConfig({ host, port, listenPort, usersPath }: Upstream & { listenPort: number; usersPath: string }): string {
  return `
[databases]
* = host='${host}' port=${port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = trust
auth_file = ${usersPath}
pool_mode = transaction
default_pool_size = ${POOL_SIZE}
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
`;
}
