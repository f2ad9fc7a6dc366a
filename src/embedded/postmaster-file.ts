import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a server says of itself. */
export interface PostmasterState {
  /** Tells this run of the server from a former one, whose file a crash has left behind. */
  readonly instance: string;
  /** Where its socket is. */
  readonly socketFolder: string | undefined;
  /** "ready" once it takes connections. */
  readonly status: string | undefined;
}

/**
 * What the server on `dataDir` says of itself in its pid file, which is how `pg_ctl` knows too: its id in the first
 * line, when it began in the third, the folder of its socket in the fifth, its status in the eighth
 * (`src/include/utils/pidfile.h`).
 */
export async function readPostmasterFile(dataDir: string): Promise<PostmasterState> {
  const lines = (await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  return { instance: `${lines[0]} ${lines[2]}`, socketFolder: lines[4], status: lines[7]?.trim() };
}
