import process from "node:process";
import { createProgram, runProgram } from "./cli/program.ts";
import type { Terminal } from "./cli/terminal.ts";
import { addBackupCommands } from "./commands/backup-commands.ts";

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
  .action(async () => (await import("./commands/serve.ts")).serve(process));
program
  .command("migrate")
  .description("bring the database at CLAVIS_MIGRATE_DATABASE_URL to this version's schema")
  .action(async () => (await import("./commands/migrate.ts")).migrate(process));
addBackupCommands(program, process);

process.exitCode = await runProgram(program, process.argv, terminal);
ended = true;
