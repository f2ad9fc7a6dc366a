import { principalId, tenantIdOf } from "../access/principal.ts";
import { needKeyAction } from "../access/rights.ts";
import { type EventDraft, keySnapshot } from "../audit/event.ts";
import type { Call } from "../call.ts";
import type { Change } from "../changes/change-service.ts";
import type { Transaction, Transactor } from "../changes/transactor.ts";
import { DomainError } from "../errors.ts";
import { type Keyspace, modeOf } from "../keyspaces/keyspace.ts";
import type { PageTokens } from "../page-token.ts";
import { type Page, type PageRequest, pageOf } from "../paging.ts";
import type { Clock, UnixMs } from "../time.ts";
import type { Key, RevokeReason } from "./key.ts";
import { concernedKeyspace, type KeyView, keyFor, keyspaceFor, viewOf } from "./key-access.ts";
import { type KeyFilter, type KeyPosition, positionIn } from "./key-store.ts";
import { keepOneManagementKey } from "./last-management-key.ts";

export interface RevokeWish {
  readonly reason: RevokeReason;
  readonly reasonText: string;
  /** Whether it may be the last management key. */
  readonly force: boolean;
}

export interface BatchRevokeWish extends RevokeWish, PageRequest {
  readonly keyspaceId: string;
  readonly filter: KeyFilter;
}

/** How keys end, for ever. */
export interface KeyRevocation {
  /** Changes nothing where it is revoked already. Throws LAST_MANAGEMENT_KEY unless forced. */
  revoke(change: Change, keyId: string, wish: RevokeWish): Promise<Key>;
  /** The same by the key's own bearer, who needs no permission for it. */
  revokeSelf(change: Change, keyId: string, wish: RevokeWish): Promise<Key>;
  /** Revokes one page of what matches, all or none, and says which. */
  revokeBatch(change: Change, wish: BatchRevokeWish): Promise<Page<string>>;
  /** The page that `revokeBatch` would revoke. */
  previewBatch(call: Call, wish: BatchRevokeWish): Promise<Page<string>>;
}

/** Keys that one call revokes at most. */
const BATCH_MAX = 1000;

interface Parts {
  readonly transactor: Transactor;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
}

export function createKeyRevocation({ transactor, pageTokens, clock }: Parts): KeyRevocation {
  return {
    async revoke(change, keyId, wish) {
      const { key, keyspace } = await keyFor(change, "revoke", { keyId, etag: "" });
      return revokeOne(change, key, keyspace, wish);
    },

    async revokeSelf(change, keyId, wish) {
      const key = await change.tx.keys.findLocked(keyId);
      if (key === undefined) throw new DomainError({ reason: "CREDENTIAL_REJECTED" });
      return revokeOne(change, key, await concernedKeyspace(change, key), wish);
    },

    async revokeBatch(change, wish) {
      const { tx, rights, now } = change;
      const keyspace = await keyspaceFor(change, "revoke", wish.keyspaceId);
      change.concerns(modeOf(keyspace));
      const view = await viewOf(tx, rights, "revoke", wish.keyspaceId);
      const page = await pageOfLiving(tx, "listLocked", view, wish, now);
      await keepOneManagementKey(change, keyspace, page.items, wish.force);
      await saveRevoked(change, page.items, wish);
      return { ...page, items: page.items.map(({ id }) => id) };
    },

    previewBatch(call, wish) {
      needKeyAction(call.rights, "revoke");
      return transactor.read(call, tenantIdOf(call.principal), async (tx) => {
        const view = await viewOf(tx, call.rights, "revoke", wish.keyspaceId);
        const page = await pageOfLiving(tx, "list", view, wish, clock());
        return { ...page, items: page.items.map(({ id }) => id) };
      });
    },
  };

  /** Oldest first, and by place rather than by number, so that neither new keys nor revoked ones shift what follows. */
  function pageOfLiving(
    tx: Transaction,
    read: "list" | "listLocked",
    view: KeyView,
    wish: BatchRevokeWish,
    now: UnixMs,
  ) {
    const { keyspaceId, filter } = wish;
    return pageOf({
      tokens: pageTokens,
      query: ["revoke", tx.tenantId, keyspaceId, { ...filter }],
      request: wish,
      sizeDefault: BATCH_MAX,
      sizeMax: BATCH_MAX,
      fetch: (after, limit) =>
        tx.keys[read]({
          ...view,
          filter,
          unrevokedOnly: true,
          order: "create_time",
          descending: false,
          // Sealed by `positionOf`, and so as it was.
          after: after as KeyPosition | undefined,
          limit,
          now,
        }),
      positionOf: (key) => ({ ...positionIn("create_time", key) }),
    });
  }
}

async function revokeOne(change: Change, key: Key, keyspace: Keyspace, wish: RevokeWish): Promise<Key> {
  if (key.revocation !== null) return key;
  await keepOneManagementKey(change, keyspace, [key], wish.force);
  const [revoked = key] = await saveRevoked(change, [key], wish);
  return revoked;
}

async function saveRevoked({ call, tx, now }: Change, keys: readonly Key[], wish: RevokeWish): Promise<readonly Key[]> {
  const { reason, reasonText } = wish;
  const actor = { actorType: call.principal.type, actorId: principalId(call.principal) };
  const pairs = keys.map((key) => ({
    key,
    revoked: {
      ...key,
      revocation: { time: now, reason, reasonText, ...actor },
      version: key.version + 1,
      updateTime: now,
    },
  }));
  await tx.keys.update(pairs.map(({ revoked }) => revoked));
  tx.audit.append(
    pairs.map(
      ({ key, revoked }): EventDraft => ({
        type: "key.revoked",
        before: keySnapshot(key),
        after: keySnapshot(revoked),
        reason,
        reasonText,
      }),
    ),
  );
  return pairs.map(({ revoked }) => revoked);
}
