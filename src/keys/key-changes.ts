import { isDeepStrictEqual } from "node:util";
import { maskSecret } from "@clavis/sdk/rules";
import { excessOf, needWithin } from "../access/rights.ts";
import { type EventType, keySnapshot } from "../audit/event.ts";
import type { Change } from "../changes/change-service.ts";
import { digestOf, type NewSecret } from "../secret.ts";
import type { UnixMs } from "../time.ts";
import { isOver, type Key, type KeyTerms } from "./key.ts";
import { type KeyRef, keyFor, refuseIn } from "./key-access.ts";
import type { CreatedKey } from "./key-issuance.ts";
import { changedTerms, rightsFrom } from "./key-terms.ts";
import { keepOneManagementKey } from "./last-management-key.ts";

/** What may happen to a key between its creation and its end. Each throws KEY_STATE_CONFLICT where its state does not allow it. */
export interface KeyChanges {
  /** Throws LAST_MANAGEMENT_KEY unless forced where it takes something from the only one. */
  update(change: Change, ref: KeyRef, changes: Partial<KeyTerms>, force: boolean): Promise<Key>;
  /** Changes nothing where it is off already. Throws LAST_MANAGEMENT_KEY unless forced. */
  disable(change: Change, ref: KeyRef, force: boolean): Promise<Key>;
  /** Changes nothing where it is on already. */
  enable(change: Change, ref: KeyRef): Promise<Key>;
  /** A new secret. Those before stop after `overlapMs`, and none later than it would have. */
  rotate(change: Change, ref: KeyRef, overlapMs: number): Promise<CreatedKey>;
  /** Ends the overlap now. Changes nothing where there is none. */
  completeRotation(change: Change, ref: KeyRef): Promise<Key>;
  /** Removes the record of a key that is revoked or expired. */
  delete(change: Change, ref: KeyRef): Promise<void>;
}

export function createKeyChanges({ newSecret }: { newSecret: NewSecret }): KeyChanges {
  return {
    async update(change, ref, changes, force) {
      const { key, keyspace } = await keyFor(change, "update", ref);
      refuseIn(change, key, ["revoked"]);
      const terms = changedTerms(key, changes, keyspace, change.now);
      if (keyspace.management) {
        // Whoever only takes from a management key gives nothing away, but may lock everybody out.
        if (isMore(terms, key, change.now)) needWithin(change.rights, rightsFrom(terms));
        if (isMore(key, terms, change.now)) await keepOneManagementKey(change, keyspace, [key], force);
      }
      const changed = { ...key, ...terms };
      return isDeepStrictEqual(changed, key) ? key : save(change, "key.updated", key, changed);
    },

    async disable(change, ref, force) {
      const { key, keyspace } = await keyFor(change, "update", ref);
      refuseIn(change, key, ["revoked"]);
      if (key.disabled) return key;
      await keepOneManagementKey(change, keyspace, [key], force);
      return save(change, "key.disabled", key, { ...key, disabled: true });
    },

    async enable(change, ref) {
      const { key, keyspace } = await keyFor(change, "update", ref);
      refuseIn(change, key, ["revoked"]);
      // Its holder, who may be the caller, has all that it may do again.
      if (keyspace.management && key.disabled) needWithin(change.rights, rightsFrom(key));
      return key.disabled ? save(change, "key.enabled", key, { ...key, disabled: false }) : key;
    },

    async rotate(change, ref, overlapMs) {
      const { tx, now } = change;
      const { key, keyspace } = await keyFor(change, "rotate", ref);
      refuseIn(change, key, ["revoked", "expired"]);
      // The caller gets the secret, and with it all that the key may do.
      if (keyspace.management) needWithin(change.rights, rightsFrom(key));

      const secret = newSecret(keyspace.prefix);
      const overlapEndTime = Math.min(now + overlapMs, key.expireTime ?? Number.POSITIVE_INFINITY);
      const rotated: Key = {
        ...key,
        imported: false,
        maskedSecret: maskSecret(secret.reveal()),
        secretCreateTime: now,
        rotation: { previousMaskedSecret: key.maskedSecret, overlapEndTime },
      };
      await tx.keys.stopSecrets(key.id, overlapMs === 0 ? AT_ONCE : overlapEndTime);
      await tx.keys.addSecret(key.id, digestOf(secret));
      return { key: await save(change, "key.rotated", key, rotated), secret };
    },

    async completeRotation(change, ref) {
      const { tx, now } = change;
      const { key } = await keyFor(change, "rotate", ref);
      refuseIn(change, key, ["revoked"]);
      if (key.rotation === null || key.rotation.overlapEndTime <= now) return key;
      await tx.keys.stopStoppingSecrets(key.id, AT_ONCE);
      return save(change, "key.rotation_completed", key, {
        ...key,
        rotation: { ...key.rotation, overlapEndTime: now },
      });
    },

    async delete(change, ref) {
      const { key } = await keyFor(change, "delete", ref);
      if (!isOver(key, change.now)) refuseIn(change, key, ["active", "disabled", "not_yet_valid"]);
      await change.tx.keys.delete(key.id);
      change.tx.audit.append([{ type: "key.deleted", before: keySnapshot(key), after: null }]);
    },
  };
}

/** When a secret stops that is to stop now: before all time, so that no replica's clock, however late, lets it in once more. */
const AT_ONCE: UnixMs = 0;

/** Whether a management key may do more under some terms than under others, or begins to sooner. */
function isMore(terms: KeyTerms, than: KeyTerms, now: UnixMs): boolean {
  if (excessOf(rightsFrom(than), rightsFrom(terms)).length > 0) return true;
  return Math.max(terms.notBeforeTime ?? now, now) < Math.max(than.notBeforeTime ?? now, now);
}

async function save({ tx, now }: Change, type: EventType, before: Key, changed: Key): Promise<Key> {
  const after = { ...changed, version: before.version + 1, updateTime: now };
  await tx.keys.update([after]);
  tx.audit.append([{ type, before: keySnapshot(before), after: keySnapshot(after) }]);
  return after;
}
