import { tenantIdOf } from "../access/principal.ts";
import { needKeyAction } from "../access/rights.ts";
import type { Call } from "../call.ts";
import type { Transactor } from "../changes/transactor.ts";
import { DomainError } from "../errors.ts";
import type { PageTokens } from "../page-token.ts";
import { type Page, type PageRequest, pageOf } from "../paging.ts";
import type { Clock } from "../time.ts";
import type { Key } from "./key.ts";
import { authorizedKey, keyspaceOf, viewOf } from "./key-access.ts";
import { type KeyFilter, type KeyOrder, type KeyPosition, positionIn } from "./key-store.ts";

export interface KeyListRequest extends PageRequest {
  /** Empty for all that the caller may see but the reserved keyspace. */
  readonly keyspaceId: string;
  readonly filter: KeyFilter;
  readonly order: KeyOrder;
  readonly descending: boolean;
}

/** How keys are looked at. */
export interface KeyQueries {
  get(call: Call, keyId: string): Promise<Key>;
  list(call: Call, request: KeyListRequest): Promise<Page<Key>>;
  /** By the key's own bearer, who needs no permission for it. */
  getSelf(call: Call, keyId: string): Promise<{ readonly key: Key; readonly management: boolean }>;
}

export function createKeyQueries(parts: { transactor: Transactor; pageTokens: PageTokens; clock: Clock }): KeyQueries {
  const { transactor, pageTokens, clock } = parts;
  return {
    async get(call, keyId) {
      needKeyAction(call.rights, "read");
      return transactor.read(call, tenantIdOf(call.principal), async (tx) => {
        const { key } = await authorizedKey(tx, call.rights, "read", keyId, await tx.keys.find(keyId));
        return key;
      });
    },

    async getSelf(call, keyId) {
      return transactor.read(call, tenantIdOf(call.principal), async (tx) => {
        const key = await tx.keys.find(keyId);
        if (key === undefined) throw new DomainError({ reason: "CREDENTIAL_REJECTED" });
        return { key, management: (await keyspaceOf(tx, key)).management };
      });
    },

    async list(call, request) {
      needKeyAction(call.rights, "read");
      const { keyspaceId, filter, order, descending } = request;
      return transactor.read(call, tenantIdOf(call.principal), async (tx) => {
        const view = await viewOf(tx, call.rights, "read", keyspaceId);
        const now = clock();
        return pageOf({
          tokens: pageTokens,
          query: ["keys", tx.tenantId, keyspaceId, { ...filter }, order, descending],
          request,
          fetch: (position, limit) => {
            // Sealed by `positionOf`, and so as it was.
            const after = position as KeyPosition | undefined;
            return tx.keys.list({ ...view, filter, unrevokedOnly: false, order, descending, after, limit, now });
          },
          positionOf: (key) => ({ ...positionIn(order, key) }),
        });
      });
    },
  };
}
