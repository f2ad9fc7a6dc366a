import { deriveKeyState, type KeyState } from "@clavis/sdk/rules";
import type { JsonObject } from "../json.ts";
import type { UnixMs } from "../time.ts";

/** What a customer's secret stands for: who it is and what it may do. Knows no secret and no digest. */
export interface Key extends KeyTerms {
  readonly id: string;
  readonly tenantId: string;
  readonly keyspaceId: string;
  readonly disabled: boolean;
  readonly revocation: Revocation | null;
  /** Made of a digest whose secret Clavis never saw. */
  readonly imported: boolean;
  /** How the present secret is shown to people. */
  readonly maskedSecret: string;
  readonly secretCreateTime: UnixMs;
  /** The latest rotation's overlap, also when it is over; null if there never was one. */
  readonly rotation: Rotation | null;
  /** Grows with each change. */
  readonly version: number;
  readonly createTime: UnixMs;
  readonly updateTime: UnixMs;
}

/** What a caller may decide about a key. */
export interface KeyTerms {
  readonly displayName: string;
  /** Whom it identifies, in the caller's words; empty for nobody in particular. */
  readonly ownerId: string;
  readonly permissions: readonly string[];
  /** Of a management key: the keyspaces that its permissions are held to; empty for all. */
  readonly allowedKeyspaceIds: readonly string[];
  /** CIDRs in canonical form; empty for anywhere. */
  readonly allowedAddresses: readonly string[];
  readonly metadata: JsonObject;
  /** Null for never. */
  readonly expireTime: UnixMs | null;
  /** Null for at once. */
  readonly notBeforeTime: UnixMs | null;
}

export interface Rotation {
  readonly previousMaskedSecret: string;
  /** From when on the secret before is refused. */
  readonly overlapEndTime: UnixMs;
}

export type RevokeReason =
  | "unspecified"
  | "compromised"
  | "superseded"
  | "unused"
  | "policy_violation"
  | "holder_request"
  | "other";

export interface Revocation {
  readonly time: UnixMs;
  readonly reason: RevokeReason;
  readonly reasonText: string;
  readonly actorType: string;
  readonly actorId: string;
}

/** The key's state at `now`; the one place where it is derived, for the control plane as for verdicts. */
export function stateOf(key: Key, now: UnixMs): KeyState {
  return deriveKeyState({ ...key, revokeTime: key.revocation?.time ?? null }, now);
}

/** Whether the key is over for good: nothing brings back a revoked one, and an expired one may be deleted too. */
export function isOver(key: Key, now: UnixMs): boolean {
  const state = stateOf(key, now);
  return state === "revoked" || state === "expired";
}
