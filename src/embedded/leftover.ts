import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { parsePid } from "./process-id.ts";

/**
 * How what is left is asked to go, and for how long: a fast shutdown, or for a lone child the end of its query; then an
 * immediate end; then no asking. The server's own supervisor has begun with the first already.
 */
const steps = [
  { signal: "SIGINT", waitMs: 5_000 },
  { signal: "SIGQUIT", waitMs: 2_000 },
  { signal: "SIGKILL", waitMs: 3_000 },
] as const;

const POLL_MS = 20;

/**
 * Waits until no Postgres works on `dataDir` any more. One may still be going down there when the process that started
 * it was killed a moment ago, and a killed one's children may still be busy with a query, in which they don't notice.
 * Only for whoever holds the data folder: a server that is in use would be stopped too.
 *
 * @throws EmbeddedPostgresError if something won't go
 */
export async function stopLeftover(dataDir: string): Promise<void> {
  let left = await findProcesses(dataDir);
  for (const { signal, waitMs } of steps) {
    const deadline = performance.now() + waitMs;
    while (left.length > 0 && performance.now() < deadline) {
      const postmaster = await readPostmasterPid(dataDir);
      // A postmaster takes its children along, in good order.
      const asked = left.filter((pid) => pid === postmaster);
      for (const pid of asked.length > 0 ? asked : left) kill(pid, signal);
      await delay(POLL_MS);
      left = await findProcesses(dataDir);
    }
  }
  if (left.length === 0) return;
  throw new EmbeddedPostgresError(`a Postgres from before still works on ${dataDir}: end process ${left.join(", ")}`);
}

/**
 * Who works on `dataDir`. Ids come again, so that those in a pid file alone might make us stop a stranger; but Postgres
 * and all its children have their data folder as working directory. Where that can't be seen, its command line must do.
 */
async function findProcesses(dataDir: string): Promise<number[]> {
  if (process.platform === "linux") {
    const pids = (await readdir("/proc")).map(parsePid).filter((pid) => pid !== undefined);
    const ours = await Promise.all(pids.map((pid) => isPostgresIn(dataDir, `/proc/${pid}`)));
    return pids.filter((_, i) => ours[i]);
  }
  const pid = await readPostmasterPid(dataDir);
  if (pid === undefined) return [];
  const ps = await promisify(execFile)("ps", ["-ww", "-o", "args=", "-p", `${pid}`]).catch(() => ({ stdout: "" }));
  return ps.stdout.includes(dataDir) ? [pid] : [];
}

/** By name as well: a person may have gone to look at the folder. What has ended already has a name, but no folder. */
async function isPostgresIn(dataDir: string, process: string): Promise<boolean> {
  try {
    return (
      (await readlink(`${process}/cwd`)) === dataDir && (await readFile(`${process}/comm`, "utf8")) === "postgres\n"
    );
  } catch {
    return false;
  }
}

async function readPostmasterPid(dataDir: string): Promise<number | undefined> {
  return parsePid(await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => ""));
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has gone meanwhile, or belongs to another user: the next look tells.
  }
}
