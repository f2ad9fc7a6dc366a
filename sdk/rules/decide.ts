import type { Address } from "./address.ts";
import { type Cidr, cidrContains } from "./cidr.ts";
import { deriveKeyState, type KeyFacts, type KeyState } from "./key-state.ts";
import { OUTCOMES, type Outcome } from "./outcome.ts";
import { missingPermissions, type PermissionSet } from "./permission.ts";
import { missingFor, type PermissionQuery } from "./query.ts";

/** What is known of one secret: its key joined with owner, keyspace and tenant. Times in Unix milliseconds. */
export interface VerifyRecord extends KeyFacts {
  readonly tenantId: string;
  readonly keyspaceId: string;
  readonly keyId: string;
  /** When a rotation stops this very secret, the key going on with another; null while it is not being rotated away. */
  readonly secretStopTime: number | null;
  readonly ownerDisabled: boolean;
  readonly keyspaceDisabled: boolean;
  readonly tenantSuspended: boolean;
  /** In the reserved keyspace of management keys, which open Clavis and nothing else. */
  readonly management: boolean;
  /** Where the key may be used from; empty for anywhere. */
  readonly allowedAddresses: readonly Cidr[];
  /** The key's own and those of its roles. */
  readonly permissions: PermissionSet;
}

/** What a Verify asks about a record. */
export interface DecideRequest {
  /** The caller's, from its credential. */
  readonly tenantId: string;
  readonly keyspaceId: string;
  /** The address that the secret was presented from, as far as the caller knows it. */
  readonly clientIp?: Address | undefined;
  /** All of these are needed. */
  readonly permissions: readonly string[];
  /** Needed as well; one in which `checkQuery` finds no fault. */
  readonly query?: PermissionQuery | undefined;
}

/** The answer. `missingPermissions` is empty unless the outcome is `insufficient_permissions`. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly missingPermissions: readonly string[];
}

type Refusal = Exclude<
  Outcome,
  | "malformed" // before there is a record
  | "not_found" // when there is none
  | "insufficient_permissions" // comes with a list
  | "rate_limited" // once all else is valid
  | "credits_exhausted" // likewise
  | "valid"
>;

type Applies = (record: VerifyRecord, request: DecideRequest, state: KeyState, now: number) => boolean;

/** When each refusal applies. Their order is that of `OUTCOMES`. `state` is the key's at `now`, derived once for all of them. */
const applies: Record<Refusal, Applies> = {
  wrong_keyspace: (record, request) => record.keyspaceId !== request.keyspaceId,
  revoked: (_record, _request, state) => state === "revoked",
  rotated: (record, _request, _state, now) => record.secretStopTime !== null && now >= record.secretStopTime,
  expired: (_record, _request, state) => state === "expired",
  not_yet_valid: (_record, _request, state) => state === "not_yet_valid",
  disabled: (_record, _request, state) => state === "disabled",
  owner_disabled: (record) => record.ownerDisabled,
  keyspace_disabled: (record) => record.keyspaceDisabled,
  tenant_suspended: (record) => record.tenantSuspended,
  address_denied: (record, request) => !isAllowedFrom(record.allowedAddresses, request.clientIp),
};

const refusals = OUTCOMES.filter((outcome): outcome is Refusal => Object.hasOwn(applies, outcome)).map((outcome) => ({
  outcome,
  applies: applies[outcome],
}));

/**
 * Whether the secret that led to `record` may be used as `request` asks, at `now` in Unix milliseconds. A record of
 * another tenant or of a management key is `not_found`, as if it did not exist. Shape, limits and credits are decided
 * elsewhere: before, and once this says `valid`.
 *
 * @throws RangeError if the query has an empty `anyOf`
 */
export function decide(record: VerifyRecord | undefined, request: DecideRequest, now: number): Verdict {
  if (record === undefined || record.management || record.tenantId !== request.tenantId) return verdict("not_found");

  const state = deriveKeyState(record, now);
  for (const refusal of refusals) if (refusal.applies(record, request, state, now)) return verdict(refusal.outcome);

  const missing = missingOf(record.permissions, request);
  return missing.length === 0 ? verdict("valid") : verdict("insufficient_permissions", missing);
}

function verdict(outcome: Outcome, missing: readonly string[] = none): Verdict {
  return { outcome, missingPermissions: missing };
}

const none: readonly string[] = [];

/** A key that is held to some addresses cannot be used from an unknown one. */
function isAllowedFrom(allowed: readonly Cidr[], clientIp: Address | undefined): boolean {
  if (allowed.length === 0) return true;
  return clientIp !== undefined && allowed.some((cidr) => cidrContains(cidr, clientIp));
}

function missingOf(held: PermissionSet, { permissions, query }: DecideRequest): string[] {
  const missing = missingPermissions(held, permissions);
  return query === undefined ? missing : [...missing, ...missingFor(held, query, missing)];
}
