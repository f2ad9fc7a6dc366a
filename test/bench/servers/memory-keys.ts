import { randomBytes } from "node:crypto";
import { bodyFrom, compilePermissions, formatSecret } from "@clavis/sdk/rules";
import { digestOf, Secret } from "../../../src/secret.ts";
import type { KnownSecret } from "../../../src/verify/known-secret.ts";
import type { RecordSource } from "../../../src/verify/record-source.ts";
import { PERMISSIONS, type Work } from "./work.ts";

const TENANT = "tn_01m858rrtye9hvdv9twfcp14gq";
const KEYSPACE = "ks_01m858rrtye9hvdv9twfcp14gq";
const KEYS = 64;

/** Keys that are all live, found without waiting for anything. */
export function createMemoryKeys(): { readonly source: RecordSource; readonly work: Work } {
  const known = new Map<string, KnownSecret>();
  const token = add("clavis_mgmt", true, ["clavis.*"]);
  const secrets = Array.from({ length: KEYS }, () => add("acme_live", false, PERMISSIONS));
  return {
    source: {
      find: ({ digest }) => ({ known: known.get(digest), degraded: false }),
      read: async () => [],
    },
    work: { token, keyspaceId: KEYSPACE, secrets },
  };

  function add(prefix: string, management: boolean, permissions: readonly string[]): string {
    const secret = formatSecret(prefix, bodyFrom(randomBytes));
    known.set(digestOf(new Secret(secret)), aKnownSecret(known.size, management, permissions));
    return secret;
  }
}

function aKnownSecret(index: number, management: boolean, permissions: readonly string[]): KnownSecret {
  const keyId = `key_${String(index).padStart(26, "0")}`;
  return {
    imported: false,
    entities: [],
    keyspaceMode: { mode: "available", settled: true },
    allowedKeyspaceIds: [],
    facts: {
      keyId,
      keyspaceId: KEYSPACE,
      ownerId: "customer-7",
      displayName: "CI",
      permissions,
      metadata: { plan: "pro" },
    },
    record: {
      tenantId: TENANT,
      keyspaceId: KEYSPACE,
      keyId,
      management,
      secretStopTime: null,
      ownerDisabled: false,
      keyspaceDisabled: false,
      tenantSuspended: false,
      allowedAddresses: [],
      permissions: compilePermissions(permissions),
      revokeTime: null,
      disabled: false,
      expireTime: null,
      notBeforeTime: null,
    },
  };
}
