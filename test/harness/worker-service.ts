import { request } from "node:http";
import { text } from "node:stream/consumers";
import { type CommandExit, startCommand } from "./clavis-command.ts";
import { until } from "./until.ts";

/** `clavis serve` with several workers, as an operator runs it. */
export interface WorkerService extends AsyncDisposable {
  readonly url: string;
  readonly operationsUrl: string;
  readonly exited: Promise<CommandExit>;
  /** All that was written to standard output so far. */
  output(): string;
  /** The lines of the log with this message. */
  logged(message: string): LogLine[];
  /** The process of each worker that serves, by its number. */
  workers(): Map<number, number>;
  isReady(): Promise<boolean>;
  signal(name: NodeJS.Signals): void;
  /** A call on a connection of its own, so that the workers take turns. */
  post(method: string, body: object, token?: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

type LogLine = Readonly<Record<string, unknown>>;

const START_MS_MAX = 30_000;

/** Starts it and resolves when all workers answer. */
export async function startWorkerService(
  env: Readonly<Record<string, string>>,
  options: readonly string[] = ["--workers", "2"],
): Promise<WorkerService> {
  await using stack = new AsyncDisposableStack();
  const command = startCommand(["serve", ...options], env);
  let output = "";
  command.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const logged = (message: string) => linesOf(output).filter(({ msg }) => msg === message);
  const served = () => logged("a worker serves").map(({ worker, pid }) => [Number(worker), Number(pid)] as const);
  // Whatever becomes of the primary, no process is left behind.
  stack.defer(async () => {
    await command[Symbol.asyncDispose]();
    for (const [, pid] of served()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });

  let ended = false;
  void command.exited.then(() => {
    ended = true;
  });
  const serving = await until("the workers serve", () => logged("serving")[0] ?? (ended && {}), START_MS_MAX);
  if (!("url" in serving)) throw new Error(`it did not start:\n${output}${(await command.exited).stderr}`);
  const { url, operationsUrl } = serving as { url: string; operationsUrl: string };
  const kept = stack.move();
  return {
    url,
    operationsUrl,
    exited: command.exited,
    output: () => output,
    logged,
    workers: () => new Map(served()),
    isReady: () =>
      fetch(`${operationsUrl}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    signal: (name) => command.signal(name),
    post: (method, body, token) => post(`${url}/${method}`, body, token),
    [Symbol.asyncDispose]: async () => kept.disposeAsync(),
  };
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The last one may be on its way yet, and a greeting is for people. */
function linesOf(output: string): LogLine[] {
  const whole = output.slice(0, output.lastIndexOf("\n")).split("\n");
  return whole.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

async function post(url: string, body: object, token: string | undefined): Promise<Answer> {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = Promise.withResolvers<Answer>();
  const req = request(url, { method: "POST", agent: false, headers }, (res) => {
    text(res).then((answered) => answer.resolve({ status: res.statusCode, body: answered }), answer.reject);
  });
  req.on("error", answer.reject);
  req.end(JSON.stringify(body));
  return await answer.promise;
}
