/** True time, which nobody in the model can read, and what happens in it. */
export interface Events {
  readonly nowMs: number;
  after(spanMs: number, run: () => void): void;
  /** Lets things happen, in the order of their times, up to `timeMs`. */
  runUntil(timeMs: number): void;
  /** How many things have happened. */
  readonly count: number;
}

export function createEvents(): Events {
  const heap: { timeMs: number; order: number; run: () => void }[] = [];
  let nowMs = 0;
  let order = 0;
  let count = 0;

  return {
    get nowMs() {
      return nowMs;
    },
    get count() {
      return count;
    },
    after(spanMs, run) {
      heap.push({ timeMs: nowMs + Math.max(0, spanMs), order: order++, run });
      siftUp();
    },
    runUntil(timeMs) {
      for (let next = heap[0]; next !== undefined && next.timeMs <= timeMs; next = heap[0]) {
        takeFirst();
        nowMs = next.timeMs;
        count++;
        next.run();
      }
      nowMs = timeMs;
    },
  };

  function before(left: number, right: number): boolean {
    const [a, b] = [heap[left], heap[right]];
    if (a === undefined || b === undefined) return a !== undefined;
    return a.timeMs === b.timeMs ? a.order < b.order : a.timeMs < b.timeMs;
  }

  function swap(left: number, right: number): void {
    const [a, b] = [heap[left], heap[right]];
    if (a === undefined || b === undefined) return;
    heap[left] = b;
    heap[right] = a;
  }

  function siftUp(): void {
    for (let at = heap.length - 1; at > 0 && before(at, (at - 1) >> 1); at = (at - 1) >> 1) swap(at, (at - 1) >> 1);
  }

  function takeFirst(): void {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      const child = before(2 * at + 2, 2 * at + 1) ? 2 * at + 2 : 2 * at + 1;
      if (child >= heap.length || !before(child, at)) return;
      swap(at, child);
      at = child;
    }
  }
}
