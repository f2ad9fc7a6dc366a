/** Where a Redis is, and how to be let in. */
export interface RedisAddress {
  /** One, or of a Cluster those that tell of the others. */
  readonly hosts: readonly [RedisHost, ...RedisHost[]];
  readonly cluster: boolean;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The database's number; a Cluster has but 0. */
  readonly db: number;
}

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

const PORT_DEFAULT = 6379;
const HOST = /^(?:[\w.-]+|\[[0-9a-f:.]+\])$/i;

/**
 * The address in `redis://user:password@host:port/db`, or with TLS `rediss://`. It is a Cluster's if it ends with `?cluster=true`, or
 * if the URLs of several nodes stand there with commas between them; what else the first one says holds for all.
 *
 * Undefined for anything else. A parameter that would be passed over is no address either.
 */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  const urls = text.split(/,(?=rediss?:)/).map(parseOne);
  if (!urls.every((url) => url !== undefined)) return undefined;
  const [first, ...others] = urls;
  if (first === undefined || others.some(({ tls }) => tls !== first.tls)) return undefined;
  const cluster = first.cluster || others.length > 0;
  if (cluster && urls.some(({ db }) => db !== 0)) return undefined;
  const { tls, username, password, db } = first;
  return { hosts: [first.at, ...others.map(({ at }) => at)], cluster, tls, username, password, db };
}

function parseOne(text: string) {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  const [, db] = /^\/?(\d{0,4})$/.exec(pathname) ?? [];
  const cluster = search === "?cluster=true";
  if (!/^rediss?:$/.test(protocol) || !HOST.test(hostname) || db === undefined || hash !== "") return undefined;
  if (search !== "" && !cluster) return undefined;
  const credentials = [username, password].map(decode);
  if (credentials.includes(undefined)) return undefined;
  return {
    at: { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? PORT_DEFAULT : Number(port) },
    tls: protocol === "rediss:",
    username: credentials[0] || undefined,
    password: credentials[1] || undefined,
    db: Number(db),
    cluster,
  };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
