/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [name: string]: Json;
}

/** How deep the arrays and objects of `value` are nested; 0 for a plain value. Never recurses deeper than `limit`. */
export function depthOf(value: Json, limit: number): number {
  if (value === null || typeof value !== "object") return 0;
  if (limit === 0) return 1;
  const children: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  return 1 + children.reduce<number>((deepest, child) => Math.max(deepest, depthOf(child, limit - 1)), 0);
}
