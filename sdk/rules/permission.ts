/** Characters in the longest permission. */
export const PERMISSION_LENGTH_MAX = 128;

/** Segments between the dots, a closing `*` included. The patterns below repeat it as 7 + 1. */
export const PERMISSION_SEGMENTS_MAX = 8;

const CONCRETE = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+){0,7}$/;
const WILDCARD = /^(?:[a-z0-9_-]+\.){0,7}\*$/;

/** Held permissions in a form that answers quickly. Made by `compilePermissions`. */
export interface PermissionSet {
  /** Whether any of the held permissions grants `wanted`. */
  has(wanted: string): boolean;
}

/**
 * Whether `text` may be granted: up to 8 segments of `[a-z0-9_-]` with dots between, 128 characters in all, such as
 * `documents.read`. The last segment may be `*`: `documents.*` stands for everything below `documents`, but not for
 * `documents` itself, and a lone `*` for everything.
 */
export function isPermission(text: string): boolean {
  return isConcretePermission(text) || (text.length <= PERMISSION_LENGTH_MAX && WILDCARD.test(text));
}

/** Whether `text` is a permission without a wildcard. */
export function isConcretePermission(text: string): boolean {
  return text.length <= PERMISSION_LENGTH_MAX && CONCRETE.test(text);
}

/**
 * Whether whoever holds `held` has `wanted`. Either may have a wildcard: who holds `documents.*` has `documents.read`,
 * `documents.drafts.*` and `documents.*`. Transitive, so nobody can pass on more than they hold.
 *
 * @param held a permission in the sense of `isPermission`
 */
export function grants(held: string, wanted: string): boolean {
  if (held === "*" || held === wanted) return true;
  return held.endsWith(".*") && wanted.startsWith(stemOf(held));
}

/**
 * The same answer as `grants` for any of `held`, in one look-up per segment of what is wanted, however many are held.
 *
 * @param held permissions in the sense of `isPermission`
 */
export function compilePermissions(held: readonly string[]): PermissionSet {
  const exact = new Set(held);
  if (exact.has("*")) return { has: () => true };
  const stems = new Set(held.filter((permission) => permission.endsWith(".*")).map(stemOf));
  return {
    has: (wanted) => exact.has(wanted) || (stems.size > 0 && hasStemOf(stems, wanted)),
  };
}

/** Those of `wanted` that `held` does not grant, in the order of `wanted`, each once. Empty if it grants them all. */
export function missingPermissions(held: PermissionSet, wanted: readonly string[]): string[] {
  const missing = wanted.filter((permission) => !held.has(permission));
  // Nearly always there are none, and a set for them would cost more than the look-ups.
  return missing.length === 0 ? missing : [...new Set(missing)];
}

/** `documents.` of `documents.*`: the dot keeps it from matching `documentsearch`. */
function stemOf(wildcard: string): string {
  return wildcard.slice(0, -1);
}

function hasStemOf(stems: ReadonlySet<string>, wanted: string): boolean {
  let dot = wanted.indexOf(".");
  // No stem has more dots than a permission can; a `wanted` with more can only be junk and is not walked to its end.
  for (let segment = 1; dot !== -1 && segment < PERMISSION_SEGMENTS_MAX; segment++) {
    if (stems.has(wanted.slice(0, dot + 1))) return true;
    dot = wanted.indexOf(".", dot + 1);
  }
  return false;
}
