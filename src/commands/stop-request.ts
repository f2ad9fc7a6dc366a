import { monotonicSeconds } from "../time.ts";
import type { Host } from "./host.ts";

/**
 * A second request to stop within this time is the first one once more: Ctrl-C reaches us from the terminal and again
 * from npm, which passes on what it was sent itself.
 */
const ECHO_SECONDS = 1;

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Resolves at the first SIGTERM or SIGINT. From then on another ends the process at once, with the code that shells give. */
export function stopRequest(host: Pick<Host, "on" | "exit">, seconds = monotonicSeconds): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    for (const [signal, number] of Object.entries(SIGNALS)) {
      host.on(signal, () => {
        const now = seconds();
        if (first !== undefined && now - first > ECHO_SECONDS) host.exit(128 + number);
        first ??= now;
        resolve();
      });
    }
  });
}
