#!/usr/bin/env node
import process from "node:process";
import { createProgram, runProgram } from "./cli/program.ts";
import type { Terminal } from "./cli/terminal.ts";
import { addBackupCommands } from "./commands/backup-commands.ts";

// Whoever reads our output may stop at any time, as `head` does. That is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
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
