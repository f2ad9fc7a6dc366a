import process from "node:process";
import { InvalidArgumentError, Option } from "commander";
import { createProgram, runProgram } from "./cli/program.ts";
import type { Terminal } from "./cli/terminal.ts";
import { addBackupCommands } from "./commands/backup-commands.ts";
import type { ServeOptions } from "./commands/serve.ts";
import { parseWorkerCount, WORKERS_MAX, type WorkerCount } from "./workers/worker-count.ts";

/** What shells give for a command that Ctrl-C has ended. */
const INTERRUPTED = 130;

let ended = false;

// A progress bar that sees Ctrl-C ends the process by itself, with 0.
process.on("exit", (code) => {
  if (!ended && code === 0) process.exitCode = INTERRUPTED;
});

// Whoever reads our output may stop at any time, as `head` does. That is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  ended = true;
  process.exit();
});

const terminal: Terminal = process;
const program = createProgram(terminal);

// What runs a service is loaded when it is asked for: a client needs neither Postgres nor a server.
program.commandsGroup("Running one:");
program
  .command("serve")
  .description("run the service, configured by the environment (docs/configuration.md)")
  .addOption(
    new Option(
      "--workers <count>",
      `how many processes serve on the port, 1 to ${WORKERS_MAX}, or auto for one a core (default: CLAVIS_WORKERS, or 1)`,
    ).argParser(toWorkerCount),
  )
  .action(async (options: ServeOptions) => (await import("./commands/serve.ts")).serve(process, options));
program
  .command("migrate")
  .description("bring the database at CLAVIS_MIGRATE_DATABASE_URL to this version's schema")
  .action(async () => (await import("./commands/migrate.ts")).migrate(process));
addBackupCommands(program, process);

function toWorkerCount(text: string): WorkerCount {
  const count = parseWorkerCount(text);
  if (count === undefined) throw new InvalidArgumentError(`Expected auto, or a whole number from 1 to ${WORKERS_MAX}.`);
  return count;
}

process.exitCode = await runProgram(program, process.argv, terminal);
ended = true;
