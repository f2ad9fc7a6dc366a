import { CommandFailure } from "../cli/command-failure.ts";
import { type Config, parseConfig } from "../config.ts";
import { createLog, type Log } from "../log.ts";
import { type RunningServer, startServer } from "../server.ts";
import { SECOND_MS } from "../time.ts";
import { greetingOf } from "./greeting.ts";
import type { Host } from "./host.ts";
import { explain } from "./known-failure.ts";
import { stopRequest } from "./stop-request.ts";

/** What is not finished by then is given up: whoever sent SIGTERM counts on an end within 25 s, and sends SIGKILL. */
const STOP_MS_MAX = 24 * SECOND_MS;

/**
 * Serves until a signal, and then finishes what is under way.
 *
 * @throws CommandFailure if the service cannot be started, or cannot go on
 */
export async function serve(host: Host): Promise<void> {
  try {
    const config = parseConfig(host.env);
    const log = createLog(config.logLevel);
    catchLast(host, log);
    // From here on, so that a signal during the start is not lost.
    const stop = stopRequest(host);
    let stopping = false;
    void stop.then(() => {
      stopping = true;
      armWatchdog(host, log);
    });

    await using server = await startServer(config, { log });
    // Whoever has asked for the end meanwhile must not read that it is ready.
    if (stopping) return log.info("stopping");
    greet(host, config, server);
    log.info({ url: server.url, operationsUrl: server.operationsUrl }, "serving");
    const failure = await Promise.race([stop, server.failed]);
    if (failure === undefined) return log.info("stopping");
    armWatchdog(host, log);
    log.error({ error: failure }, "the service cannot go on");
    throw new CommandFailure(failure.message);
  } catch (error) {
    throw explain(error);
  }
}

/** The last resort: what nobody has caught leaves the process in a state that nobody knows. Logged as all errors are. */
function catchLast(host: Host, log: Log): void {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    host.on(event, (error: unknown) => {
      log.error({ error }, event);
      host.exit(1);
    });
  }
}

function armWatchdog(host: Host, log: Log): void {
  const giveUp = () => {
    log.error("could not stop in time");
    host.exit(1);
  };
  setTimeout(giveUp, STOP_MS_MAX).unref();
}

/** For people: who starts a Clavis of their own, or sits at the terminal. Programs read the log. */
function greet({ stdout, cwd }: Host, { store }: Config, server: RunningServer): void {
  if (store.shape === "server" && !stdout.isTTY) return;
  stdout.write(greetingOf({ ...server, workingDir: cwd() }));
}
