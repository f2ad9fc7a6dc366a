import type { NetConnectOpts } from "node:net";
import { openTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** A wire between a service and Postgres. */
export interface PostgresProxy extends Omit<TcpProxy, "port" | "turnTo"> {
  /** The same database and role as in the URL in front of which it stands. */
  readonly url: string;
  /** Breaks all connections and leads new ones to the Postgres of another URL. */
  failOver(url: string): void;
}

export async function openPostgresProxy(url: string): Promise<PostgresProxy> {
  const { role, database, ...target } = targetOf(url);
  const proxy = await openTcpProxy(target);
  return {
    ...proxy,
    url: `postgresql://${role}@127.0.0.1:${proxy.port}/${database}?sslmode=disable`,
    failOver: (other) => proxy.turnTo(targetOf(other)),
  };
}

function targetOf(text: string): NetConnectOpts & { role: string; database: string } {
  // A socket's URL has no host between the slashes, which `URL` does not take.
  const url = new URL(text.replace("@/", "@socket/"));
  const folder = url.searchParams.get("host");
  const port = url.searchParams.get("port") ?? url.port;
  const names = { role: url.username, database: url.pathname.slice(1) };
  return folder === null
    ? { host: url.hostname, port: Number(port), ...names }
    : { path: `${decodeURIComponent(folder)}/.s.PGSQL.${port}`, ...names };
}
