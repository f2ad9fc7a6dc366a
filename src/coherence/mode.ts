import { DEGRADED_MS, LEASE_MS, waited } from "./bounds.ts";

/** What goes first when Postgres does not answer: the promise of revocation, or the callers that were fine a minute ago. */
export type RevocationMode = "strict" | "available";

/** For how long, after a good poll began, a replica may at most trust what it knew then. */
export const trustMs: Record<RevocationMode, number> = { strict: LEASE_MS, available: DEGRADED_MS };

export interface KeyspaceMode {
  readonly mode: RevocationMode;
  /**
   * Whether the mode has been this one for long enough (`hasSettled`): a strict keyspace so long that no replica can still take
   * it for `available`, an available one so long that no lossy failover will have made it strict again behind a replica's back.
   */
  readonly settled: boolean;
}

/** Whether a cached record of the keyspace may answer, flagged, for a Postgres that does not. Both are those of the record itself. */
export function mayDegrade({ mode, settled }: KeyspaceMode): boolean {
  return mode === "available" && settled;
}

/**
 * The mode of a change that concerns these keyspaces: `strict` if all of them are, and for long enough. It must be read under a
 * lock that keeps the modes until the change's own commit: one made `available` meanwhile would be so in records that still lack the change.
 */
export function weakestMode(keyspaces: readonly KeyspaceMode[]): RevocationMode {
  return keyspaces.length > 0 && keyspaces.every(({ mode, settled }) => mode === "strict" && settled)
    ? "strict"
    : "available";
}

/**
 * Whether a state of affairs (a keyspace has its mode, a timeline has begun) is old enough that nobody trusts what was before it.
 * `knownForMs` is by the monotonic clock of one process since it first read of it; that process then notes in the row that it
 * has settled. No clock of Postgres is asked, for that one may jump.
 */
export function hasSettled(knownForMs: number, mode: RevocationMode): boolean {
  return knownForMs >= waited(trustMs[mode]);
}
