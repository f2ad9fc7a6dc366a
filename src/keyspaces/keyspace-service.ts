import { isDeepStrictEqual } from "node:util";
import { tenantIdOf } from "../access/principal.ts";
import { authorizeKeyspace, need, needEverywhere, seesKeyspace } from "../access/rights.ts";
import { keyspaceSnapshot } from "../audit/event.ts";
import type { Call } from "../call.ts";
import type { Change } from "../changes/change-service.ts";
import type { Transactor } from "../changes/transactor.ts";
import { DomainError } from "../errors.ts";
import { checkEtag } from "../etag.ts";
import type { NewId } from "../ids.ts";
import type { PageTokens } from "../page-token.ts";
import { type Page, type PageRequest, pageOf } from "../paging.ts";
import { changePolicy, checkPolicy, type Keyspace, type KeyspacePolicy, modeOf } from "./keyspace.ts";

/** Which keyspace a change is about. */
export interface KeyspaceRef {
  readonly keyspaceId: string;
  /** What the change is based on; empty for whatever is there. */
  readonly etag: string;
}

/** The keyspaces of a tenant. Failures are those that `keyspace_service.proto` names. */
export interface KeyspaceService {
  create(change: Change, policy: KeyspacePolicy): Promise<Keyspace>;
  get(call: Call, keyspaceId: string): Promise<Keyspace>;
  list(call: Call, request: PageRequest): Promise<Page<Keyspace>>;
  update(change: Change, ref: KeyspaceRef, changes: Partial<KeyspacePolicy>): Promise<Keyspace>;
  delete(change: Change, ref: KeyspaceRef): Promise<void>;
}

export function createKeyspaceService(parts: {
  transactor: Transactor;
  pageTokens: PageTokens;
  newId: NewId;
}): KeyspaceService {
  const { transactor, pageTokens, newId } = parts;
  return {
    async create({ tx, rights, now }, policy) {
      needEverywhere(rights, "clavis.keyspaces.create");
      checkPolicy(policy);
      const keyspace: Keyspace = {
        ...policy,
        id: newId("ks"),
        tenantId: tx.tenantId,
        earlierPrefixes: [],
        management: false,
        modeVersion: 1,
        modeSettled: true,
        version: 1,
        createTime: now,
        updateTime: now,
      };
      await tx.keyspaces.insert(keyspace);
      tx.audit.append([{ type: "keyspace.created", before: null, after: keyspaceSnapshot(keyspace) }]);
      return keyspace;
    },

    async get(call, keyspaceId) {
      need(call.rights, "clavis.keyspaces.read");
      return transactor.read(call, tenantIdOf(call.principal), async (tx) => {
        const keyspace = await tx.keyspaces.find(keyspaceId);
        if (keyspace === undefined) throw new DomainError({ reason: "KEYSPACE_NOT_FOUND", keyspaceId });
        authorizeKeyspace(call.rights, "read", keyspace);
        return keyspace;
      });
    },

    async list(call, request) {
      const { rights } = call;
      need(rights, "clavis.keyspaces.read");
      const ids = rights.keyspaceIds.length === 0 ? undefined : rights.keyspaceIds;
      const management = seesKeyspace(rights, { id: "", management: true });
      return transactor.read(call, tenantIdOf(call.principal), (tx) =>
        pageOf({
          tokens: pageTokens,
          query: ["keyspaces", tx.tenantId],
          request,
          // Sealed by `positionOf`, and so as it was.
          fetch: (after, limit) => tx.keyspaces.list({ ids, management, afterId: after as string | undefined, limit }),
          positionOf: ({ id }) => id,
        }),
      );
    },

    async update(change, ref, changes) {
      const keyspace = await changeable(change, "update", ref);
      checkPolicy({ ...keyspace, ...changes }, "keyspace.");
      if (isDeepStrictEqual({ ...keyspace, ...changes }, keyspace)) return keyspace;
      const changed = changePolicy(keyspace, changes, change.now);
      change.concerns(modeOf(changed));
      await change.tx.keyspaces.update(changed);
      change.tx.audit.append([
        { type: "keyspace.updated", before: keyspaceSnapshot(keyspace), after: keyspaceSnapshot(changed) },
      ]);
      return changed;
    },

    async delete(change, ref) {
      const { tx, now } = change;
      const keyspace = await changeable(change, "delete", ref);
      const liveKeys = await tx.keys.countLive(keyspace.id, now);
      if (liveKeys > 0) throw new DomainError({ reason: "KEYSPACE_NOT_EMPTY", keyspaceId: keyspace.id, liveKeys });
      await tx.keyspaces.delete(keyspace.id);
      tx.audit.append([{ type: "keyspace.deleted", before: keyspaceSnapshot(keyspace), after: null }]);
    },
  };
}

async function changeable(
  { tx, rights, concerns }: Change,
  action: "update" | "delete",
  { keyspaceId, etag }: KeyspaceRef,
): Promise<Keyspace> {
  need(rights, `clavis.keyspaces.${action}`);
  const keyspace = await tx.keyspaces.findLocked(keyspaceId);
  if (keyspace === undefined) throw new DomainError({ reason: "KEYSPACE_NOT_FOUND", keyspaceId });
  authorizeKeyspace(rights, action, keyspace);
  if (keyspace.management) throw new DomainError({ reason: "KEYSPACE_RESERVED", keyspaceId });
  checkEtag(keyspace, etag);
  concerns(modeOf(keyspace));
  return keyspace;
}
