import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { until } from "./until.ts";

/** A Clavis in a process of its own, as an operator runs it. */
export interface ServiceProcess extends AsyncDisposable {
  readonly url: string;
  /** Where its metrics are; empty if they are off, or it has said nothing of it yet. */
  readonly operationsUrl: () => string;
  readonly pid: number;
  /** How it ended. */
  readonly exited: Promise<Exit>;
  signal(name: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  /** Ends it as `kill -9` does, and resolves when it has gone. */
  kill(): Promise<void>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** All that it wrote to standard output and standard error. */
  readonly output: string;
}

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Where it answers is the first address that it prints, in its greeting or its log. */
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+/;

const OPERATIONS = /"operationsUrl":"([^"]+)"/;

/** A busy machine takes its time. */
const START_MS_MAX = 30_000;

/** Starts `clavis serve` with `env`, or what `argv` names instead, and resolves when it answers. */
export async function startServiceProcess(
  env: Readonly<Record<string, string>>,
  argv: readonly string[] = [MAIN, "serve"],
): Promise<ServiceProcess> {
  const service = launchService(env, argv);
  const url = await until(
    "the service prints its address",
    () => {
      return ADDRESS.exec(service.output())?.[0] ?? (service.hasExited() && "");
    },
    START_MS_MAX,
  );
  if (url === "") throw new Error(`the service did not start:\n${service.output()}`);
  return { ...service, url };
}

/** Starts `clavis serve` where it is expected to refuse, and resolves with how it ended. */
export async function runServiceToItsEnd(env: Readonly<Record<string, string>>): Promise<Exit> {
  await using service = launchService(env, [MAIN, "serve"]);
  return await service.exited;
}

function launchService(env: Readonly<Record<string, string>>, argv: readonly string[]) {
  const child = spawn(process.execPath, argv, {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  let ended = false;
  const exited = once(child, "close").then(([code, signal]): Exit => {
    ended = true;
    return { code, signal, output };
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    operationsUrl: () => OPERATIONS.exec(output)?.[1] ?? "",
    pid: child.pid ?? 0,
    exited,
    output: () => output,
    hasExited: () => ended,
    signal: (name: NodeJS.Signals) => void child.kill(name),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
