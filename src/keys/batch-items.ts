import { DomainError, type Failure, type FailureReason } from "../errors.ts";

/** What one key may have at most, so that the fact is no longer for a batch than for a key. */
const PERMISSIONS_NAMED_MAX = 200;

/**
 * What `make` makes of each item. Where it refuses some, it throws for the first reason, naming every item with that reason
 * if the reason is one of terms: whoever has to leave out or correct them then learns of all at once.
 */
export function makeEach<Item, Made>(items: readonly Item[], make: (item: Item, index: number) => Made): Made[] {
  const made: Made[] = [];
  const failures: Failure[] = [];
  for (const [index, item] of items.entries()) {
    try {
      made.push(make(item, index));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      failures.push(error.failure);
    }
  }
  const [first] = failures;
  if (first !== undefined) throw new DomainError(joined(first, failures));
  return made;
}

function joined(first: Failure, failures: readonly Failure[]): Failure {
  if (first.reason === "INVALID_REQUEST") {
    return { ...first, violations: withReason(failures, first.reason).flatMap(({ violations }) => violations) };
  }
  if (first.reason === "PERMISSION_NOT_GRANTABLE") {
    const alike = withReason(failures, first.reason);
    const permissions = [...new Set(alike.flatMap((failure) => failure.permissions))];
    return { ...first, fields: fieldsOf(alike), permissions: permissions.slice(0, PERMISSIONS_NAMED_MAX) };
  }
  if (first.reason === "EXPIRY_OUTSIDE_POLICY") {
    return { ...first, fields: fieldsOf(withReason(failures, first.reason)) };
  }
  return first;
}

function withReason<Reason extends FailureReason>(failures: readonly Failure[], reason: Reason) {
  return failures.filter((failure): failure is Extract<Failure, { reason: Reason }> => failure.reason === reason);
}

function fieldsOf(failures: readonly { readonly fields: readonly string[] }[]): readonly string[] {
  return failures.flatMap(({ fields }) => fields);
}
