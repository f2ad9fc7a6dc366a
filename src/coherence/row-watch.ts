/** A membership row as it is stored. */
export interface MemberRow {
  readonly id: string;
  /** Grows with each renewal. */
  readonly renewal: number;
}

/**
 * Remembers since when each membership row has not been renewed, so that a row's lapse is judged by the monotonic clock of who
 * judges. Stored expiry times would be judged by Postgres's clock: one jump, and every member is gone while all of them trust.
 */
export interface RowWatch {
  /** Takes note of what was read between two moments. The answer maps ids to how long, at least, the rows were not renewed. */
  observe(rows: readonly MemberRow[], read: { sentMs: number; answeredMs: number }): ReadonlyMap<string, number>;
}

export function createRowWatch(): RowWatch {
  let known = new Map<string, { renewal: number; sinceMs: number }>();
  return {
    observe(rows, { sentMs, answeredMs }) {
      known = new Map(
        rows.map(({ id, renewal }) => {
          const row = known.get(id);
          return [id, row?.renewal === renewal ? row : { renewal, sinceMs: answeredMs }];
        }),
      );
      return new Map(Array.from(known, ([id, { sinceMs }]) => [id, Math.max(0, sentMs - sinceMs)]));
    },
  };
}
