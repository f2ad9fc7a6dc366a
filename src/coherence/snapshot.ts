/** What a statement of Postgres sees: `pg_current_snapshot()`. Transaction ids are `xid8`, which never wrap around. */
export interface Snapshot {
  /** Below it, every transaction has ended. */
  readonly xmin: bigint;
  /** From it on, none had ended. */
  readonly xmax: bigint;
  /** Those in between that were in progress, in rising order. */
  readonly xip: readonly bigint[];
}

/** Reads Postgres's text form, `xmin:xmax:xip,xip`. Throws on anything else. */
export function parseSnapshot(text: string): Snapshot {
  const [, xmin, xmax, xip] = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text) ?? [];
  if (xmin === undefined || xmax === undefined || xip === undefined) throw new TypeError("not a snapshot of Postgres");
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), xip: xip === "" ? [] : xip.split(",").map(BigInt) };
}

export function formatSnapshot({ xmin, xmax, xip }: Snapshot): string {
  return `${xmin}:${xmax}:${xip.join(",")}`;
}

/** Whether the snapshot sees what transaction `xid` did, if that committed. As `pg_visible_in_snapshot`. */
export function visible(snapshot: Snapshot, xid: bigint): boolean {
  return xid < snapshot.xmin || (xid < snapshot.xmax && !snapshot.xip.includes(xid));
}

/**
 * Whether `snapshot` sees every transaction that `other` sees. Comparing `xmax` is not enough: a transaction that was still in
 * progress for the one may have ended for the other, under the same `xmax`.
 */
export function seesAll(snapshot: Snapshot, other: Snapshot): boolean {
  if (snapshot.xip.some((xid) => visible(other, xid))) return false;
  // What is left are the transactions from snapshot.xmax to other.xmax: the other must not see a single one.
  const between = other.xmax - snapshot.xmax;
  if (between <= 0n) return true;
  const unseen = new Set(other.xip.filter((xid) => xid >= snapshot.xmax));
  return BigInt(unseen.size) === between;
}
