import type { Log } from "../log.ts";
import { SECOND_MS } from "../time.ts";
import type { Host } from "./host.ts";

/** What is not finished by then is given up: whoever sent SIGTERM counts on an end within 25 s, and sends SIGKILL. */
const STOP_MS_MAX = 24 * SECOND_MS;

/** What nobody has caught leaves the process in a state that nobody knows. Logged as all errors are. */
export function catchLast(host: Pick<Host, "on" | "exit">, log: Log): void {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    host.on(event, (error: unknown) => {
      log.error({ error }, event);
      host.exit(1);
    });
  }
}

/** Ends the process if it has not stopped in time from now on. */
export function armWatchdog(host: Pick<Host, "exit">, log: Log): void {
  const giveUp = () => {
    log.error("could not stop in time");
    host.exit(1);
  };
  setTimeout(giveUp, STOP_MS_MAX).unref();
}
