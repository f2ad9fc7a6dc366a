/** Runs something again and again, never twice at a time. */
export interface Repeater {
  /** Runs it at once, or once more as soon as the present run is over. */
  now(): void;
  /** Ends it. Resolves when the present run is over. */
  stop(): Promise<void>;
}

/** However often it is wanted, as those who want it may be wrong in their numbers. */
const GAP_MS = 2;

/** `work` never throws. From the start of one run to the next it is `intervalMs`, asked for after each. The first begins at once. */
export function createRepeater(work: () => Promise<void>, intervalMs: () => number): Repeater {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let startedMs = Number.NEGATIVE_INFINITY;
  let again = false;
  let stopped = false;

  async function run(): Promise<void> {
    again = false;
    startedMs = performance.now();
    await work();
    running = undefined;
    if (!stopped) startAfter(again ? GAP_MS : intervalMs());
  }

  /** Counted from the last start. */
  function startAfter(spanMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(start, Math.max(0, startedMs + spanMs - performance.now()));
  }

  function start(): void {
    running = run();
  }

  start();
  return {
    now() {
      if (stopped) return;
      again = true;
      if (running === undefined) startAfter(GAP_MS);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
