import { mkdtemp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { stopLeftover } from "./leftover.ts";
import { giveTo, makeFolderFor } from "./ownership.ts";
import { type PostmasterState, readPostmasterFile } from "./postmaster-file.ts";
import type { ServerLog } from "./server-log.ts";
import type { ServerUser } from "./server-user.ts";
import { PORT, type Settings, serverSettings, toArguments } from "./settings.ts";
import { type Supervised, supervise } from "./supervisor.ts";

export interface PostmasterOptions {
  readonly dataDir: string;
  readonly binaries: Binaries;
  readonly user: ServerUser;
  readonly settings: Settings;
  readonly log: ServerLog;
}

export interface Postmaster {
  readonly server: Supervised;
  /** The folder of the socket on which it listens. */
  readonly socketFolder: string;
}

/** A crash may leave a GiB of log to replay, and a start given up before that is done has to begin it again. */
const START_MS_MAX = 5 * 60_000;

/** Between two looks at a file of a hundred bytes. */
const POLL_MS = 10;

/** How often a start is tried that another one's remains stand in the way of, 2 s in all: they are about to go. */
const ATTEMPTS_MAX = 20;
const ATTEMPT_PAUSE_MS = 100;

/** What Postgres says then: the first is a postmaster that a killed process had just begun, the second its children. */
const IN_THE_WAY = /lock file "postmaster.pid" already exists|pre-existing shared memory block/;

/** The path of a socket may have 103 bytes on macOS and 107 on Linux. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Short, and there on every Unix. `os.tmpdir()` may be neither: it may lie below a home that the server can't enter.
 */
const SHORT_FOLDER = "/tmp";

/**
 * Starts the server and resolves when it takes connections.
 *
 * @throws EmbeddedPostgresError with the end of the log if it ends before
 */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  for (let attempt = 1; ; attempt++) {
    const before = await readPostmasterFile(options.dataDir);
    const postmaster = await spawnPostmaster(options);
    const problem = await waitUntilReady(postmaster.server, options.dataDir, before);
    if (problem === undefined) return postmaster;
    const lastLines = await options.log.lastLines();
    if (!IN_THE_WAY.test(lastLines) || attempt === ATTEMPTS_MAX) {
      throw new EmbeddedPostgresError(
        `Postgres did not start (${problem}). Its log in ${options.log.path} ends:\n${lastLines}`,
      );
    }
    await delay(ATTEMPT_PAUSE_MS);
    await stopLeftover(options.dataDir);
  }
}

async function spawnPostmaster({ dataDir, binaries, user, settings, log }: PostmasterOptions): Promise<Postmaster> {
  const { socketFolder, temporaryFolder } = await makeSocketFolder(dirname(dataDir), user);
  const argv = [...toArguments(serverSettings(socketFolder, settings))];
  const server = supervise({
    user,
    argv: [binaries.postgres, "-D", dataDir, ...argv],
    env: binaries.env,
    output: log.descriptor,
    temporaryFolder,
  });
  return { server, socketFolder };
}

/**
 * A folder for the socket that only the server and we can enter: with the data, or where that makes too long a path.
 */
async function makeSocketFolder(folder: string, user: ServerUser) {
  const socketFolder = join(folder, "run");
  if (Buffer.byteLength(join(socketFolder, `.s.PGSQL.${PORT}`)) <= SOCKET_PATH_BYTES_MAX) {
    await makeFolderFor(user, socketFolder);
    return { socketFolder, temporaryFolder: undefined };
  }
  const temporaryFolder = await mkdtemp(join(SHORT_FOLDER, "clavis-"));
  await giveTo(user, temporaryFolder);
  return { socketFolder: temporaryFolder, temporaryFolder };
}

/** Undefined once the server is ready, or what became of it instead. */
async function waitUntilReady(
  server: Supervised,
  dataDir: string,
  before: PostmasterState,
): Promise<string | undefined> {
  let ending: string | undefined;
  void server.ended.then(({ how }) => {
    ending = how;
  });
  const deadline = performance.now() + START_MS_MAX;
  while (performance.now() < deadline) {
    // Before the look at the file, which the server takes away when it ends.
    if (ending !== undefined) return ending;
    const state = await readPostmasterFile(dataDir);
    if (state.status === "ready" && state.instance !== before.instance) return undefined;
    await Promise.race([delay(POLL_MS), server.ended]);
  }
  await server.stop();
  return `not ready after ${START_MS_MAX / 60_000} minutes`;
}
