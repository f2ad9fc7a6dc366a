import { join, relative, resolve } from "node:path";

export interface GreetingFacts {
  readonly url: string;
  readonly operationsUrl: string | undefined;
  /** In the embedded shape. */
  readonly dataDir: string | undefined;
  /** Where the commands will be run. */
  readonly workingDir: string;
}

/** Where the commands look if they are told nothing else. */
const URL_DEFAULT = "http://127.0.0.1:8420";
const DATA_DIR_DEFAULT = ".clavis";
const MANAGEMENT_KEY_FILE = "management-key";

/** What a person wants to know of a service that has just been started, and three commands that can be pasted as they are. */
export function greetingOf({ url, operationsUrl, dataDir, workingDir }: GreetingFacts): string {
  const key = dataDir === undefined ? undefined : join(dataDir, MANAGEMENT_KEY_FILE);
  const atDefault = dataDir !== undefined && dataDir === resolve(workingDir, DATA_DIR_DEFAULT);
  const flags = [
    ...(url === URL_DEFAULT ? [] : [`--url ${url}`]),
    ...(key === undefined || atDefault ? [] : [`--key-file ${quoted(key)}`]),
  ];
  const facts = [
    ["address", url],
    ...(operationsUrl === undefined ? [] : [["operations", `${operationsUrl} (/metrics, /healthz, /readyz)`]]),
    ["management key", key === undefined ? "in CLAVIS_KEY; see `clavis tenants create`" : shown(key, workingDir)],
  ];
  const commands = [
    'keyspaces create --display-name "My API" --prefix my_api',
    "keys create --keyspace my_api --display-name First --permission documents.read",
    "keys verify --keyspace my_api --permission documents.read",
  ];
  return [
    "",
    "Clavis is ready.",
    "",
    ...facts.map(([name = "", value]) => `  ${name.padEnd(16)}${value}`),
    "",
    "Try next, in another terminal:",
    "",
    ...commands.map((command) => `  npm run -s clavis -- ${[command, ...flags].join(" ")}`),
    "",
    "",
  ].join("\n");
}

function shown(path: string, workingDir: string): string {
  const short = relative(workingDir, path);
  return short.startsWith("..") ? path : short;
}

/** As a POSIX shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w./:@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
