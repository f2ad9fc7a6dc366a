import type { Change } from "../changes/change-service.ts";
import { DomainError } from "../errors.ts";
import type { Keyspace } from "../keyspaces/keyspace.ts";
import type { Key } from "./key.ts";
import { rightsFrom } from "./key-terms.ts";

/**
 * Throws LAST_MANAGEMENT_KEY if without `going` the tenant had no management key left that can make others, unless forced. Two that
 * go at the same time wait for each other at the keyspace's row, so that neither takes the other for the one that stays.
 */
export async function keepOneManagementKey(
  change: Change,
  keyspace: Keyspace,
  going: readonly Key[],
  force: boolean,
): Promise<void> {
  const first = going.find(isAdministrator);
  if (!keyspace.management || force || first === undefined) return;
  const { tx, now } = change;
  await tx.keyspaces.findLocked(keyspace.id);
  const staying = await tx.keys.countAdministrators(
    keyspace.id,
    now,
    going.map(({ id }) => id),
  );
  if (staying === 0) throw new DomainError({ reason: "LAST_MANAGEMENT_KEY", keyId: first.id });
}

/** Whether the key can make management keys for all of the tenant, and so let back in whoever is locked out. */
function isAdministrator(key: Key): boolean {
  return key.allowedKeyspaceIds.length === 0 && rightsFrom(key).held.has("clavis.management_keys.create");
}
