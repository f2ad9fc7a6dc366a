import { type Cidr, compilePermissions, parseCidr } from "@clavis/sdk/rules";
import type { Pool } from "pg";
import type { JsonObject } from "../json.ts";
import type { KnownSecret, SecretStore } from "../verify/record-source.ts";
import { fromDigest, fromUuid, toDigest } from "./columns.ts";
import { toFailure } from "./sqlstate.ts";

interface Row {
  readonly digest: Uint8Array;
  readonly stop_time: number | null;
  readonly tenant_id: string;
  readonly keyspace_id: string;
  readonly key_id: string;
  readonly display_name: string;
  readonly owner_id: string;
  readonly permissions: readonly string[];
  readonly allowed_keyspace_ids: readonly string[];
  readonly allowed_addresses: readonly string[];
  readonly metadata: JsonObject;
  readonly expire_time: number | null;
  readonly not_before_time: number | null;
  readonly disabled: boolean;
  readonly revoke_time: number | null;
  readonly imported: boolean;
  readonly keyspace_disabled: boolean;
  readonly management: boolean;
  readonly tenant_suspended: boolean;
}

/** Reads the primary by one statement, outside any transaction. */
export function createSecretStore(pool: Pool): SecretStore {
  return {
    async findAll(digests) {
      const { rows } = await pool
        .query<Row>("select * from clavis.find_secrets($1::bytea[])", [digests.map(toDigest)])
        .catch((error: unknown) => Promise.reject(toFailure(error)));
      return Map.groupBy(rows.map(fromRow), ({ digest }) => digest);
    },
  };
}

function fromRow(row: Row): KnownSecret & { readonly digest: string } {
  const tenantId = fromUuid("ten", row.tenant_id);
  const keyspaceId = fromUuid("ks", row.keyspace_id);
  const keyId = fromUuid("key", row.key_id);
  const { permissions, metadata } = row;
  return {
    digest: fromDigest(row.digest),
    record: {
      tenantId,
      keyspaceId,
      keyId,
      secretStopTime: row.stop_time,
      revokeTime: row.revoke_time,
      expireTime: row.expire_time,
      notBeforeTime: row.not_before_time,
      disabled: row.disabled,
      ownerDisabled: false,
      keyspaceDisabled: row.keyspace_disabled,
      tenantSuspended: row.tenant_suspended,
      management: row.management,
      allowedAddresses: row.allowed_addresses.map(cidrOf),
      permissions: compilePermissions(permissions),
    },
    facts: { keyId, keyspaceId, ownerId: row.owner_id, displayName: row.display_name, permissions, metadata },
    allowedKeyspaceIds: row.allowed_keyspace_ids.map((uuid) => fromUuid("ks", uuid)),
    imported: row.imported,
  };
}

/** An address that nobody calls from. */
const NOWHERE: Cidr = { network: { version: 4, bits: 0n }, prefixLength: 32 };

/** Addresses are checked when they are written. One that cannot be read now lets nobody in, and spoils no other key's verdict. */
function cidrOf(text: string): Cidr {
  const result = parseCidr(text);
  return result.ok ? result.cidr : NOWHERE;
}
