/**
 * Everything that Verify can answer, in order of precedence: where several apply, the earlier one is given. So a caller
 * learns nothing about a key of somebody else's, and only what is otherwise valid spends limits and credits.
 */
export const OUTCOMES = [
  "malformed",
  "not_found",
  "wrong_keyspace",
  "revoked",
  "rotated",
  "expired",
  "not_yet_valid",
  "disabled",
  "owner_disabled",
  "keyspace_disabled",
  "tenant_suspended",
  "address_denied",
  "insufficient_permissions",
  "rate_limited",
  "credits_exhausted",
  "valid",
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Whether the holder of the secret is to be turned away: every outcome but `valid`. */
export function isDenial(outcome: Outcome): boolean {
  return outcome !== "valid";
}
