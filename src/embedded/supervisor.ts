import { spawn } from "node:child_process";
import type { ServerUser } from "./server-user.ts";

/** A program that cannot outlive this process. */
export interface Supervised {
  /** Resolves when the program has ended, with words for how. Never rejects. */
  readonly ended: Promise<Ending>;
  /** Stops the program by the steps given for it. Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface Ending {
  readonly succeeded: boolean;
  /** Such as "exit code 1". */
  readonly how: string;
}

export interface SupervisedOptions {
  readonly user: ServerUser;
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** File descriptor that takes what the program prints. */
  readonly output: number;
  /** How it is stopped, when we ask for it or are gone. By default Postgres's way, which takes 9 s at most. */
  readonly stopSteps?: readonly StopStep[];
  /** Removed when the program has ended, even if this process ended before it. */
  readonly temporaryFolder?: string | undefined;
}

export interface StopStep {
  readonly signal: "INT" | "QUIT" | "KILL";
  /** How long the signal is repeated before the next step, in tenths of a second. */
  readonly ticks: number;
}

/**
 * A fast shutdown, which writes a checkpoint; an immediate one, after which the next start recovers; none of the kind.
 * Five seconds are plenty for the first on most disks, and losing patience costs nothing but that recovery: Postgres 18
 * never finishes a fast shutdown that comes while it recovers, and who stops us often waits for ten seconds in all.
 */
const postgresStopSteps: readonly StopStep[] = [
  { signal: "INT", ticks: 50 },
  { signal: "QUIT", ticks: 20 },
  { signal: "KILL", ticks: 20 },
];

/**
 * Runs the program in `$3` and on, with the folder to remove in `$1` and the steps, as `INT:100 QUIT:30`, in `$2`.
 * Stops it when standard input ends: when our process closes that, or ends in whatever way and the kernel closes it.
 *
 * - The signal is sent again at each tick, as a program that has not yet come to install its handler misses it.
 * - SIGTERM is ignored: a service manager sends it to all of a group's processes, and what it means is ours to decide.
 * - The program and the watch over it both run in the background: `wait` reaps the one while `read` blocks the other.
 */
const SUPERVISE = `
trap '' TERM INT HUP
folder=$1
steps=$2
shift 2
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(
  read -r _ <&3
  for step in $steps; do
    ticks=\${step#*:}
    while [ "$ticks" -gt 0 ]; do
      kill "-\${step%:*}" "$program" || exit
      sleep 0.1
      ticks=$((ticks - 1))
    done
  done
) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$program"
code=$?
kill -KILL "$watch" 2>/dev/null
[ -z "$folder" ] || rm -rf -- "$folder"
exit "$code"
`;

/** Starts a program that ends when we say so or when this process ends, whichever comes first. */
export function supervise(options: SupervisedOptions): Supervised {
  const { user, argv, env, output, stopSteps = postgresStopSteps, temporaryFolder = "" } = options;
  const steps = stopSteps.map(({ signal, ticks }) => `${signal}:${ticks}`).join(" ");
  const { file, args, identity } = user.commandFor(["sh", "-c", SUPERVISE, "sh", temporaryFolder, steps, ...argv]);
  const supervisor = spawn(file, args, {
    ...identity,
    env,
    // Ours may be one that the user cannot enter.
    cwd: "/",
    // A session of its own, so that Ctrl-C in a terminal reaches us alone and we can finish what needs Postgres first.
    detached: true,
    stdio: ["pipe", output, output],
  });
  const ended = new Promise<Ending>((resolve) => {
    supervisor.once("error", (error) => resolve({ succeeded: false, how: error.message }));
    supervisor.once("exit", (code, signal) => {
      resolve({ succeeded: code === 0, how: signal === null ? `exit code ${code}` : `signal ${signal}` });
    });
  });
  return {
    ended,
    async stop() {
      supervisor.stdin?.destroy();
      await ended;
    },
  };
}
