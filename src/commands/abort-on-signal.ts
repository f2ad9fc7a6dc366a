import { CommandFailure } from "../cli/command-failure.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Aborts at the first SIGINT or SIGTERM, so that what is half done can be taken back. The next one ends the process.
 */
export function abortOnSignal(host: Pick<Surroundings, "once" | "off">): { readonly signal: AbortSignal } & Disposable {
  const stop = new AbortController();
  const abort = (name: NodeJS.Signals) => stop.abort(new CommandFailure(`stopped by ${name}`));
  for (const name of ["SIGINT", "SIGTERM"] as const) host.once(name, abort);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      for (const name of ["SIGINT", "SIGTERM"] as const) host.off(name, abort);
    },
  };
}
