import { compilePermissions, type PermissionSet } from "@clavis/sdk/rules";
import { LRUCache } from "lru-cache";

/** Permissions as they are listed, and in the form that answers quickly. */
export interface SharedPermissions {
  readonly list: readonly string[];
  readonly set: PermissionSet;
}

/** Lists that are shared. A list that fell out is merely held twice. */
const LISTS_MAX = 10_000;

const shared = new LRUCache<string, SharedPermissions>({ max: LISTS_MAX });

/** The same object for the same list: thousands of keys hold what a handful of plans give. */
export function sharePermissions(list: readonly string[]): SharedPermissions {
  // No permission has a space.
  const name = list.join(" ");
  const known = shared.get(name);
  if (known !== undefined) return known;
  const made = { list, set: compilePermissions(list) };
  shared.set(name, made);
  return made;
}
