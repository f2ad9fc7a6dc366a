import { grants, isConcretePermission, type PermissionSet } from "./permission.ts";

/** Levels of the deepest query; a lone permission has one. */
export const QUERY_DEPTH_MAX = 8;

/** Permissions and groups in the largest query, counted together, since an empty group costs a visit too. */
export const QUERY_TERMS_MAX = 64;

const KINDS = ["permission", "allOf", "anyOf"] as const;

/** What a caller asks of a key's permissions. An empty `allOf` is always satisfied; an empty `anyOf` is not a query. */
export type PermissionQuery =
  | { readonly permission: string }
  | { readonly allOf: readonly PermissionQuery[] }
  | { readonly anyOf: readonly PermissionQuery[] };

/** What is wrong with a query. `path` leads there, as in `allOf[1].anyOf[0].permission`; empty for the query itself. */
export interface QueryFault {
  readonly path: string;
  readonly problem: string;
}

/**
 * The first fault in `query`, or undefined if there is none: a group that is too deep or too large, an empty `anyOf`, a
 * text that is no permission, or several kinds in one term, of which all but one would go unheeded.
 */
export function checkQuery(query: PermissionQuery): QueryFault | undefined {
  return faultIn(query, { path: "", depth: 1 }, { terms: 0 });
}

/**
 * The permissions that are missing for `query` to be satisfied: empty if it is, and otherwise a list that would
 * suffice, in the order of the query and each once. Of an `anyOf` it takes the way that lacks the fewest, the first
 * among equals. That makes a short list, though not always the shortest, which would be a hitting set and NP-hard.
 *
 * @param query one in which `checkQuery` finds no fault
 * @param granted permissions that count as granted and are left out of the list
 * @throws RangeError on an empty `anyOf`, since there is no list that would suffice
 */
export function missingFor(held: PermissionSet, query: PermissionQuery, granted: readonly string[] = []): string[] {
  if ("permission" in query) {
    const { permission } = query;
    return held.has(permission) || granted.some((other) => grants(other, permission)) ? [] : [permission];
  }
  if ("allOf" in query) {
    const missing: string[] = [];
    for (const term of query.allOf) missing.push(...missingFor(held, term, [...granted, ...missing]));
    return missing;
  }
  const ways = query.anyOf.map((term) => missingFor(held, term, granted));
  if (ways.length === 0) throw new RangeError("an empty anyOf cannot be satisfied");
  return ways.reduce((fewest, way) => (way.length < fewest.length ? way : fewest));
}

interface Place {
  readonly path: string;
  readonly depth: number;
}

function faultIn(query: PermissionQuery, { path, depth }: Place, seen: { terms: number }): QueryFault | undefined {
  seen.terms++;
  if (seen.terms > QUERY_TERMS_MAX) return { path, problem: `more than ${QUERY_TERMS_MAX} permissions and groups` };
  if (depth > QUERY_DEPTH_MAX) return { path, problem: `more than ${QUERY_DEPTH_MAX} levels deep` };

  const [kind, ...others] = KINDS.filter((candidate) => candidate in query);
  if (kind === undefined || others.length > 0) return { path, problem: `expected one of ${KINDS.join(", ")}` };

  const inside = path === "" ? kind : `${path}.${kind}`;
  if ("permission" in query) {
    return isConcretePermission(query.permission)
      ? undefined
      : { path: inside, problem: "not a permission, or one with a wildcard" };
  }
  if ("anyOf" in query && query.anyOf.length === 0) return { path: inside, problem: "empty, so nothing satisfies it" };

  const terms = "allOf" in query ? query.allOf : query.anyOf;
  for (const [index, term] of terms.entries()) {
    const fault = faultIn(term, { path: `${inside}[${index}]`, depth: depth + 1 }, seen);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
