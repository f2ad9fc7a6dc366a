import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 10;

/**
 * What `look` gives once it gives something other than undefined or false. For what only shows when looked at, such as
 * processes and files; what can be awaited is awaited.
 *
 * @throws Error naming `what` was waited for, once `withinMs` have passed
 */
export async function until<T>(what: string, look: () => T | Promise<T>, withinMs = 15_000): Promise<Found<T>> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen as Found<T>;
    await delay(POLL_MS);
  }
  throw new Error(`not within ${withinMs} ms: ${what}`);
}

type Found<T> = Exclude<T, undefined | false>;
