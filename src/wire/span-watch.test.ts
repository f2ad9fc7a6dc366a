import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { watchSpans } from "./span-watch.ts";

const SPAN_MS = 1000;
const SWEEP_MS = SPAN_MS / 10;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a watch on spans", () => {
  it.each([0, 1, SWEEP_MS / 2, SWEEP_MS - 1])("tells of what is overdue, begun %i ms after a sweep", (afterSweepMs) => {
    const { watch, overdue } = aWatch();
    watch.begin("first");
    vi.advanceTimersByTime(SWEEP_MS + afterSweepMs);
    watch.begin("second");
    overdue.length = 0;
    vi.advanceTimersByTime(SPAN_MS - 1);
    expect(overdue).not.toContain("second");
    vi.advanceTimersByTime(SWEEP_MS + 1);
    expect(overdue).toContain("second");
  });

  it("tells of it once", () => {
    const { watch, overdue } = aWatch();
    watch.begin("one");
    vi.advanceTimersByTime(10 * SPAN_MS);
    expect(overdue).toEqual(["one"]);
  });

  it("says nothing of what has ended, nor of what has taken its place before its own time", () => {
    const { watch, overdue } = aWatch();
    const place = watch.begin("ended");
    watch.begin("other");
    vi.advanceTimersByTime(SPAN_MS - 1);
    watch.end(place);
    expect(watch.begin("later")).toBe(place);
    vi.advanceTimersByTime(SPAN_MS - SWEEP_MS);
    expect(overdue).toEqual(["other"]);
  });

  it("lets one that was overdue end like any other", () => {
    const { watch, overdue } = aWatch((place) => watch.end(place));
    watch.begin("one");
    vi.advanceTimersByTime(2 * SPAN_MS);
    expect(overdue).toEqual(["one"]);
    watch.begin("two");
    vi.advanceTimersByTime(2 * SPAN_MS);
    expect(overdue).toEqual(["one", "two"]);
  });

  it("has no timer while there is nothing to watch", () => {
    const { watch } = aWatch();
    expect(vi.getTimerCount()).toBe(0);
    watch.end(watch.begin("one"));
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(SPAN_MS);
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** Everything has the first place here but what a test says. */
function aWatch(onOverdue: (place: number) => void = () => {}) {
  const overdue: string[] = [];
  const watch = watchSpans<string>(SPAN_MS, (thing) => {
    overdue.push(thing);
    onOverdue(0);
  });
  return { watch, overdue };
}
