/** What the client takes from the machine it runs on. Tests bring their own. */
export interface Runtime {
  /** Milliseconds on a clock that never goes back; from when they count does not matter. */
  readonly now: () => number;
  /** Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** A UUID that nobody has had before. */
  readonly uuid: () => string;
}

/** The runtime of Node 24, browsers and whatever else has the Web's globals. */
export const systemRuntime: Runtime = {
  now: () => performance.now(),
  wait: waitFor,
  random: () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32,
  uuid: () => crypto.randomUUID(),
};

/** The longest that timers can wait; they take anything longer for 1 ms. */
const WAIT_MAX_MS = 2 ** 31 - 1;

function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, WAIT_MAX_MS));
    signal.addEventListener("abort", done);
  });
}
