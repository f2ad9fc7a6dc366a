import { Command } from "commander";
import { ConfigError, parseConfig } from "./config.ts";
import { createLog } from "./log.ts";
import { startServer } from "./server.ts";

const program = new Command("clavis");
program.command("serve").action(serve);
await program.parseAsync();

async function serve(): Promise<void> {
  try {
    const config = parseConfig(process.env);
    const log = createLog(config.logLevel);
    const stop = new Promise<void>((resolve) => {
      process.once("SIGTERM", () => resolve());
      process.once("SIGINT", () => resolve());
    });
    const server = await startServer(config, { log });
    console.log(server.url, server.operationsUrl);
    await stop;
    await server[Symbol.asyncDispose]();
  } catch (error) {
    if (error instanceof ConfigError) console.error(error.message);
    else throw error;
    process.exitCode = 1;
  }
}
