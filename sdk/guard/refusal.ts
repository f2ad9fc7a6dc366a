import { Outcome } from "../gen/clavis/v1/verify_service_pb.ts";

/** Why a request is turned away, before anything of HTTP. */
export type Refusal =
  | { readonly kind: "missing" }
  | { readonly kind: "unusable"; readonly problem: string }
  | { readonly kind: "invalid_key" }
  | { readonly kind: "insufficient_permissions"; readonly missing: readonly string[] }
  | { readonly kind: "address_denied" }
  | { readonly kind: "rate_limited" }
  | { readonly kind: "credits_exhausted" }
  | { readonly kind: "denied" }
  | { readonly kind: "undecided"; readonly retryAfterMs: number | undefined };

/** The name of an outcome; one that only a newer service knows is `OUTCOME_` and its number. */
export type OutcomeName = keyof typeof Outcome | `OUTCOME_${number}`;

const names = new Map(
  Object.entries(Outcome).map(([name, number]) => [number as number, name as keyof typeof Outcome]),
);

export function outcomeName(outcome: number): OutcomeName {
  return names.get(outcome) ?? `OUTCOME_${outcome}`;
}

/** Whoever presents a key that does not hold is not told why: it may not be theirs. */
const invalidKey: Refusal = { kind: "invalid_key" };

type Denial = Exclude<keyof typeof Outcome, "UNSPECIFIED" | "VALID">;

const refusals: Record<Denial, (missing: readonly string[]) => Refusal> = {
  MALFORMED: () => invalidKey,
  NOT_FOUND: () => invalidKey,
  WRONG_KEYSPACE: () => invalidKey,
  REVOKED: () => invalidKey,
  ROTATED: () => invalidKey,
  EXPIRED: () => invalidKey,
  NOT_YET_VALID: () => invalidKey,
  DISABLED: () => invalidKey,
  OWNER_DISABLED: () => invalidKey,
  KEYSPACE_DISABLED: () => invalidKey,
  TENANT_SUSPENDED: () => invalidKey,
  ADDRESS_DENIED: () => ({ kind: "address_denied" }),
  INSUFFICIENT_PERMISSIONS: (missing) => ({ kind: "insufficient_permissions", missing }),
  RATE_LIMITED: () => ({ kind: "rate_limited" }),
  CREDITS_EXHAUSTED: () => ({ kind: "credits_exhausted" }),
};

/**
 * How a request is turned away for `outcome`; undefined for `VALID` alone. What a newer service may say besides is a
 * denial too, and no outcome at all is no decision.
 */
export function refusalFor(outcome: number, missing: readonly string[]): Refusal | undefined {
  if (outcome === Outcome.VALID) return undefined;
  if (outcome === Outcome.UNSPECIFIED) return { kind: "undecided", retryAfterMs: undefined };
  const name = outcomeName(outcome);
  return isDenial(name) ? refusals[name](missing) : { kind: "denied" };
}

function isDenial(name: OutcomeName): name is Denial {
  return Object.hasOwn(refusals, name);
}
