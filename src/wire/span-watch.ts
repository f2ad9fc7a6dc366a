/** Sees to it that each of many things comes to its end within a span, with one timer for all: a timer each costs more than the things. */
export interface SpanWatch<Thing> {
  /** From now on. Comes back with the place that `end` is to be called for. */
  begin(thing: Thing): number;
  /** To be called once for each that has begun, be it overdue or not. */
  end(place: number): void;
}

/** In a span. So what is overdue is found out up to a tenth too late. */
const SWEEPS = 10;

/** `onOverdue` is called once at most for each that has begun. */
export function watchSpans<Thing>(spanMs: number, onOverdue: (thing: Thing) => void): SpanWatch<Thing> {
  // By place. Two lists of which neither grows beyond what was ever under way at once, and nothing of a thing stays behind.
  const things: (Thing | undefined)[] = [];
  const dueSweeps: number[] = [];
  const freePlaces: number[] = [];
  let sweeps = 0;
  let timer: NodeJS.Timeout | undefined;

  function sweep(): void {
    sweeps += 1;
    if (freePlaces.length === things.length) {
      clearInterval(timer);
      timer = undefined;
      return;
    }
    for (const [place, thing] of things.entries()) {
      if (thing === undefined || (dueSweeps[place] ?? 0) > sweeps) continue;
      dueSweeps[place] = Number.POSITIVE_INFINITY;
      onOverdue(thing);
    }
  }

  return {
    begin(thing) {
      timer ??= setInterval(sweep, spanMs / SWEEPS).unref();
      const place = freePlaces.pop() ?? things.length;
      things[place] = thing;
      // The next sweep may be about to come.
      dueSweeps[place] = sweeps + SWEEPS + 1;
      return place;
    },
    end(place) {
      things[place] = undefined;
      freePlaces.push(place);
    },
  };
}
