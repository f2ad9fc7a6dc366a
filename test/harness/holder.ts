import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What came of an attempt to hold something. */
export type Holding =
  | { readonly held: true; readonly url?: string | undefined }
  | { readonly held: false; readonly error: string };

/** Another process, which holds a data folder and perhaps a Postgres in it. */
export interface Holder extends AsyncDisposable {
  readonly pid: number;
  /** Makes the attempt. */
  hold(): Promise<Holding>;
  /** Kills it as `kill -9` does, and resolves when it has gone. */
  kill(): Promise<void>;
}

export interface HolderOptions {
  readonly path: string;
  readonly postgres?: boolean;
  readonly binariesDir?: string;
  /** Runs it as another user; for root only. */
  readonly uid?: number | undefined;
}

/** Starts the process, which has made no attempt yet when this resolves. It is in a process group of its own. */
export async function startHolder({ path, postgres = false, binariesDir, uid }: HolderOptions): Promise<Holder> {
  const program = join(import.meta.dirname, "holder-main.ts");
  const args = [program, path, postgres ? "postgres" : "", binariesDir ?? ""].filter((arg) => arg !== "");
  const holder = spawn(process.execPath, args, {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const lines = createInterface(holder.stdout)[Symbol.asyncIterator]();
  const exited = once(holder, "exit");
  const next = async () => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`a holder of ${path} has ended`);
    return value;
  };
  await next();
  return {
    pid: holder.pid ?? 0,
    async hold() {
      holder.stdin.write("go\n");
      return JSON.parse(await next()) as Holding;
    },
    async kill() {
      holder.kill("SIGKILL");
      await exited;
    },
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await exited;
    },
  };
}
