import type { JsonObject } from "../json.ts";
import type { KnownSecret, Reading } from "./known-secret.ts";

/**
 * What V8 spends on a reading and its place in the cache, over the texts of the record itself: measured by `npm run bench -- S14`,
 * and rounded up.
 */
const READING_BYTES = 800;
const KNOWN_BYTES = 1500;
const ADDRESS_BYTES = 160;

/** About how much memory a cached reading takes. Sets of permissions are shared between keys and not counted. */
export function bytesOf({ known }: Reading): number {
  return known.reduce((sum, one) => sum + bytesOfKnown(one), READING_BYTES);
}

function bytesOfKnown({ record, facts, allowedKeyspaceIds }: KnownSecret): number {
  const texts = facts.displayName.length + facts.ownerId.length;
  // Objects take several times what they take as text.
  const metadata = isEmpty(facts.metadata) ? 0 : 4 * JSON.stringify(facts.metadata).length;
  const lists = ADDRESS_BYTES * record.allowedAddresses.length + 50 * allowedKeyspaceIds.length;
  return KNOWN_BYTES + 2 * texts + metadata + lists;
}

function isEmpty(object: JsonObject): boolean {
  for (const _ in object) return false;
  return true;
}
