import type { KeyState } from "@clavis/sdk/rules";

/** One thing wrong with one field of a request, by its path in the contract: `keys[3].spec.display_name`. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** What a caller can act on: a reason and the facts that go with it. `error_reason.proto` says what each means. */
export type Failure =
  | { readonly reason: "INVALID_REQUEST"; readonly violations: readonly Violation[] }
  | { readonly reason: "PAGE_TOKEN_INVALID" }
  | {
      readonly reason: "PERMISSION_NOT_GRANTABLE";
      readonly fields: readonly string[];
      readonly permissions: readonly string[];
    }
  | { readonly reason: "EXPIRY_OUTSIDE_POLICY"; readonly fields: readonly string[]; readonly latest: number | null }
  | { readonly reason: "CREDENTIAL_REJECTED" }
  | { readonly reason: "PERMISSION_MISSING"; readonly permission: string }
  | { readonly reason: "GRANT_EXCEEDS_CALLER"; readonly excess: readonly string[] }
  | { readonly reason: "TENANT_NOT_FOUND"; readonly tenantId: string }
  | { readonly reason: "KEYSPACE_NOT_FOUND"; readonly keyspaceId: string }
  | { readonly reason: "KEY_NOT_FOUND"; readonly keyId: string }
  | { readonly reason: "REQUEST_ID_REUSED" }
  | { readonly reason: "DIGEST_ALREADY_EXISTS"; readonly violations: readonly Violation[] }
  | { readonly reason: "ETAG_MISMATCH" }
  | { readonly reason: "KEY_STATE_CONFLICT"; readonly keyId: string; readonly state: KeyState }
  | { readonly reason: "KEYSPACE_NOT_EMPTY"; readonly keyspaceId: string; readonly liveKeys: number }
  | { readonly reason: "KEYSPACE_RESERVED"; readonly keyspaceId: string }
  | { readonly reason: "LAST_MANAGEMENT_KEY"; readonly keyId: string }
  | { readonly reason: "STORE_UNAVAILABLE"; readonly retryAfterMs: number }
  | { readonly reason: "ANSWER_LOST" }
  | { readonly reason: "TOO_MANY_UNKNOWN_SECRETS"; readonly retryAfterMs: number };

export type FailureReason = Failure["reason"];

/** Thrown by the domain and its adapters. Knows nothing of transport; `rpc/errors.ts` makes a status of it. */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.reason, options);
    this.failure = failure;
  }
}

/** A request with one bad field. */
export function invalidField(field: string, description: string): DomainError {
  return new DomainError({ reason: "INVALID_REQUEST", violations: [{ field, description }] });
}

/** Whether an error is a DomainError with this reason. */
export function failedWith(error: unknown, reason: FailureReason): boolean {
  return error instanceof DomainError && error.failure.reason === reason;
}
