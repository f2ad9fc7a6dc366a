import { spawn } from "node:child_process";
import type { ServerUser } from "./server-user.ts";

/** A program that cannot outlive this process. */
export interface Supervised {
  /** Resolves when the program has ended, with words for how. Never rejects. */
  readonly ended: Promise<Ending>;
  /** Stops the program: fast, then harder. Resolves when it has ended, after 16 s at most. */
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
  /** Removed when the program has ended, even if this process ended before it. */
  readonly temporaryFolder?: string | undefined;
}

/** Waited after each signal, in tenths of a second. A fast shutdown writes a checkpoint: seconds on a slow disk. */
const FAST_TICKS = 100;
const HARDER_TICKS = 30;

/**
 * Runs the program in `$2` and on, and stops it when standard input ends, which happens when our process closes it and also when our process
 * is killed in whatever way: the kernel closes the pipe. SIGINT is Postgres's fast shutdown, SIGQUIT its immediate one.
 *
 * - The signal is sent again at each tick, as a program that has not yet come to install its handler misses it.
 * - SIGTERM is ignored: a service manager sends it to all of a group's processes, and what it means is ours to decide.
 * - The program and the watch over it both run in the background, as `wait` reaps the one while `read` blocks the other.
 */
const SUPERVISE = `
trap '' TERM INT HUP
folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(
  read -r _ <&3
  stop() {
    ticks=$2
    while [ "$ticks" -gt 0 ]; do
      kill "-$1" "$program" || exit
      sleep 0.1
      ticks=$((ticks - 1))
    done
  }
  stop INT ${FAST_TICKS}
  stop QUIT ${HARDER_TICKS}
  stop KILL ${HARDER_TICKS}
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
export function supervise({ user, argv, env, output, temporaryFolder = "" }: SupervisedOptions): Supervised {
  const { file, args, identity } = user.commandFor(["sh", "-c", SUPERVISE, "sh", temporaryFolder, ...argv]);
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
