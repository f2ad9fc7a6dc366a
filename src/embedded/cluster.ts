import { mkdtemp, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { giveTo } from "./ownership.ts";
import type { ServerLog } from "./server-log.ts";
import type { ServerUser } from "./server-user.ts";
import type { Settings } from "./settings.ts";
import { supervise } from "./supervisor.ts";

/** The role that owns everything. Postgres's own customary name, which tools expect. */
export const SUPERUSER = "postgres";

/** What the names of data in the making begin with. */
const UNFINISHED = "postgres.new-";

export interface ClusterOptions {
  /** Where the data is or shall be. */
  readonly dataDir: string;
  readonly binaries: Binaries;
  /** Major version of the binaries. */
  readonly version: number;
  readonly user: ServerUser;
  readonly settings: Settings;
  readonly log: ServerLog;
}

/**
 * Sees to it that `dataDir` holds data for this version that the server's user owns, made now if there are none.
 *
 * New data are made beside and renamed when they are whole, so that what stands under the name is never half of
 * something, wherever the power went.
 *
 * @throws EmbeddedPostgresError if the data are another version's, or cannot be made
 */
export async function prepareCluster(options: ClusterOptions): Promise<void> {
  const { dataDir, user } = options;
  await removeUnfinished(dataDir);
  const version = await readVersion(dataDir);
  if (version === undefined) await makeCluster(options);
  else if (version !== options.version) throw wrongVersion(dataDir, version, options.version);
  else await giveTo(user, dataDir);
}

async function removeUnfinished(dataDir: string): Promise<void> {
  const parent = dirname(dataDir);
  for (const name of await readdir(parent)) {
    // The initdb of a process that was killed just now may still be writing: hence the retries.
    if (name.startsWith(UNFINISHED)) await rm(join(parent, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

async function readVersion(dataDir: string): Promise<number | undefined> {
  const text = await readFile(join(dataDir, "PG_VERSION"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

async function makeCluster({ dataDir, binaries, user, settings, log }: ClusterOptions): Promise<void> {
  const unfinished = await mkdtemp(join(dirname(dataDir), UNFINISHED));
  await giveTo(user, unfinished);
  const initdb = supervise({
    user,
    argv: [binaries.initdb, "-D", unfinished, ...initdbArguments(settings)],
    env: binaries.env,
    output: log.descriptor,
  });
  const { succeeded, how } = await initdb.ended;
  if (!succeeded) {
    throw new EmbeddedPostgresError(`initdb could not make ${dataDir} (${how}):\n${await log.lastLines()}`);
  }
  await rename(unfinished, dataDir);
  await syncFolder(dirname(dataDir));
}

/**
 * Sorting by bytes is the same on every machine and in every version; a library's locale changes and breaks indexes.
 */
function initdbArguments(settings: Settings): string[] {
  const args = ["--username", SUPERUSER, "--auth-local=trust", "--auth-host=reject"];
  args.push("--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions");
  // Who does without fsync later has no use for it now; it takes most of initdb's time.
  if (settings.fsync === "off") args.push("--no-sync");
  return args;
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

function wrongVersion(dataDir: string, found: number, wanted: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `${dataDir} was made by Postgres ${found}, and this is Postgres ${wanted}. Start it with the version of Clavis ` +
      "that made it, back it up there, and restore into a new data folder",
  );
}
