import { maskSecret } from "@clavis/sdk/rules";
import { needWithin } from "../access/rights.ts";
import { keySnapshot } from "../audit/event.ts";
import type { Change } from "../changes/change-service.ts";
import { DomainError } from "../errors.ts";
import type { NewId } from "../ids.ts";
import { type Keyspace, modeOf } from "../keyspaces/keyspace.ts";
import { digestOf, type NewSecret, type Secret } from "../secret.ts";
import { makeEach } from "./batch-items.ts";
import type { Key, KeyTerms } from "./key.ts";
import { keyspaceFor } from "./key-access.ts";
import type { NewKey } from "./key-store.ts";
import { type KeyDraft, rightsFrom, termsOf } from "./key-terms.ts";

export interface CreatedKey {
  readonly key: Key;
  readonly secret: Secret;
}

export interface ImportDraft {
  /** SHA-256 of the whole secret, in hexadecimal digits. */
  readonly digest: string;
  /** Empty for `imported`. */
  readonly maskedSecret: string;
  readonly draft: KeyDraft;
}

/** How keys come into being. */
export interface KeyIssuance {
  create(change: Change, keyspaceId: string, draft: KeyDraft): Promise<CreatedKey>;
  /** All or none, in the order of the drafts. What is wrong with terms is thrown as by `makeEach`, here and in imports. */
  createBatch(change: Change, keyspaceId: string, drafts: readonly KeyDraft[]): Promise<readonly CreatedKey[]>;
  /** All or none. Throws DIGEST_ALREADY_EXISTS naming each whose digest the tenant has already, or that comes twice. */
  importBatch(change: Change, keyspaceId: string, imports: readonly ImportDraft[]): Promise<readonly Key[]>;
}

export function createKeyIssuance({ newId, newSecret }: { newId: NewId; newSecret: NewSecret }): KeyIssuance {
  return {
    async create(change, keyspaceId, draft) {
      const keyspace = await keyspaceFor(change, "create", keyspaceId);
      const created = makeKey(change, keyspace, draft, "");
      await insert(change, [created]);
      return created;
    },

    async createBatch(change, keyspaceId, drafts) {
      const keyspace = await keyspaceFor(change, "create", keyspaceId);
      const created = makeEach(drafts, (draft, index) => makeKey(change, keyspace, draft, `keys[${index}].`));
      await insert(change, created);
      return created;
    },

    async importBatch(change, keyspaceId, imports) {
      const keyspace = await keyspaceFor(change, "import", keyspaceId);
      // Whoever knew a digest could otherwise make a management key of a secret that never passed through Clavis.
      if (keyspace.management) throw new DomainError({ reason: "KEYSPACE_RESERVED", keyspaceId });
      // Somebody may have asked for one of them already, and been told that nobody knows it.
      change.concerns(modeOf(keyspace));
      refuseRepeated(imports);
      const rows = makeEach(imports, ({ digest, maskedSecret, draft }, index) => {
        const terms = termsOf(draft, keyspace, change.now, `keys[${index}].spec.`);
        return { key: newKey(change, keyspace, terms, maskedSecret || "imported", true), digest };
      });
      await insert(change, rows);
      return rows.map(({ key }) => key);
    },
  };

  function makeKey(change: Change, keyspace: Keyspace, draft: KeyDraft, path: string): CreatedKey & NewKey {
    const terms = termsOf(draft, keyspace, change.now, path);
    if (keyspace.management) needWithin(change.rights, rightsFrom(terms));
    const secret = newSecret(keyspace.prefix);
    return {
      key: newKey(change, keyspace, terms, maskSecret(secret.reveal()), false),
      secret,
      digest: digestOf(secret),
    };
  }

  function newKey(
    { tx, now }: Change,
    keyspace: Keyspace,
    terms: KeyTerms,
    maskedSecret: string,
    imported: boolean,
  ): Key {
    return {
      ...terms,
      id: newId("key"),
      tenantId: tx.tenantId,
      keyspaceId: keyspace.id,
      disabled: false,
      revocation: null,
      imported,
      maskedSecret,
      secretCreateTime: now,
      rotation: null,
      version: 1,
      createTime: now,
      updateTime: now,
    };
  }
}

async function insert({ tx }: Change, rows: readonly NewKey[]): Promise<void> {
  const result = await tx.keys.insert(rows);
  if (!result.inserted) {
    const known = new Set(result.knownDigests);
    throw digestsExist(rows.flatMap(({ digest }, index) => (known.has(digest) ? [index] : [])));
  }
  tx.audit.append(
    rows.map(({ key }) => ({
      type: key.imported ? "key.imported" : "key.created",
      before: null,
      after: keySnapshot(key),
    })),
  );
}

function refuseRepeated(imports: readonly ImportDraft[]): void {
  const seen = new Set<string>();
  const repeated = imports.flatMap(({ digest }, index) => {
    if (seen.has(digest)) return [index];
    seen.add(digest);
    return [];
  });
  if (repeated.length > 0) throw digestsExist(repeated);
}

function digestsExist(indexes: readonly number[]): DomainError {
  const violations = indexes.map((index) => ({ field: `keys[${index}].digest`, description: "is known already" }));
  return new DomainError({ reason: "DIGEST_ALREADY_EXISTS", violations });
}
