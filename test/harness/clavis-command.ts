import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** `clavis` with some arguments, in a process of its own. */
export interface ClavisCommand extends AsyncDisposable {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** How it ended. */
  readonly exited: Promise<CommandExit>;
  /** Sends it a signal. It may go on. */
  signal(name: NodeJS.Signals): void;
}

export interface CommandExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** All that it wrote to standard error. */
  readonly stderr: string;
}

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Starts `clavis` with `args`. Its standard output is the caller's to read; it waits while nobody does. */
export function startCommand(args: readonly string[], env: Readonly<Record<string, string>>): ClavisCommand {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH ?? "", ...env } });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // What is written to one that has ended already is lost, which its end tells.
  child.stdin.on("error", () => {});
  const exited = once(child, "exit").then(async ([code, signal]): Promise<CommandExit> => {
    if (!child.stderr.readableEnded) await once(child.stderr, "end");
    return { code, signal, stderr };
  });
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    exited,
    signal: (name) => void child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Runs `clavis` with `args` to its end. */
export async function runCommand(args: readonly string[], env: Readonly<Record<string, string>>): Promise<CommandExit> {
  await using command = startCommand(args, env);
  command.stdin.end();
  command.stdout.resume();
  return await command.exited;
}
