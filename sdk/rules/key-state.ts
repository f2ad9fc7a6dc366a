/** What a key's state follows from. Times are Unix milliseconds, null where there is none. */
export interface KeyFacts {
  /** When the key was revoked: always in the past, whatever a slower clock makes of it. */
  readonly revokeTime: number | null;
  /** From this millisecond on the key is expired. */
  readonly expireTime: number | null;
  /** From this millisecond on the key is valid. */
  readonly notBeforeTime: number | null;
  readonly disabled: boolean;
}

/** What a key is at some moment. Only an active one can verify. */
export type KeyState = "active" | "disabled" | "not_yet_valid" | "expired" | "revoked";

/**
 * The state of a key at `now`, in Unix milliseconds. Where several apply, what cannot be undone comes before what can:
 * revoked, expired, not yet valid, disabled.
 */
export function deriveKeyState(key: KeyFacts, now: number): KeyState {
  if (key.revokeTime !== null) return "revoked";
  if (key.expireTime !== null && now >= key.expireTime) return "expired";
  if (key.notBeforeTime !== null && now < key.notBeforeTime) return "not_yet_valid";
  return key.disabled ? "disabled" : "active";
}
