import { type Cidr, parseCidr } from "@clavis/sdk/rules";
import type { Pool } from "pg";
import type { RevocationMode } from "../coherence/mode.ts";
import type { Position } from "../coherence/position.ts";
import { parseSnapshot } from "../coherence/snapshot.ts";
import { DomainError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { SECOND_MS } from "../time.ts";
import type { KnownSecret } from "../verify/known-secret.ts";
import { sharePermissions } from "../verify/permission-sets.ts";
import type { SecretStore } from "../verify/secret-store.ts";
import { fromDigest, fromUuid, toDigest, toUuid } from "./columns.ts";
import { toFailure } from "./sqlstate.ts";

/** What the read could see. The rest is null in the one row that there is when nothing was found. */
interface Head {
  readonly in_recovery: boolean;
  readonly timeline: string | null;
  readonly snapshot: string;
  readonly digest: Uint8Array | null;
}

interface Row extends Head {
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
  readonly key_version: number;
  readonly keyspace_version: number;
  readonly tenant_version: number;
  readonly revocation_mode: RevocationMode;
  readonly mode_settled: boolean;
}

const RETRY_AFTER_MS = SECOND_MS;

/** Reads the primary by one statement, outside any transaction. */
export function createSecretStore(pool: Pool): SecretStore {
  return {
    async readAll(digests) {
      const { rows } = await pool
        .query<Head | Row>("select * from clavis.read_secrets($1::bytea[])", [digests.map(toDigest)])
        .catch((error: unknown) => Promise.reject(toFailure(error)));
      const position = positionOf(rows[0]);
      const found = Map.groupBy(rows.filter(isFound).map(fromRow), ({ digest }) => digest);
      return (digest) => ({ known: found.get(digest) ?? [], position });
    },
    async digestsOf(keyIds) {
      const { rows } = await pool
        .query<{ key_id: string; digest: Uint8Array }>("select * from clavis.digests_of($1::uuid[])", [
          keyIds.map((keyId) => toUuid("key", keyId)),
        ])
        .catch((error: unknown) => Promise.reject(toFailure(error)));
      return rows.map((row) => ({ keyId: fromUuid("key", row.key_id), digest: fromDigest(row.digest) }));
    },
  };
}

/** A standby may be as far behind as it likes, so what it says is no answer. */
function positionOf(head: Head | undefined): Position {
  if (head === undefined || head.in_recovery) {
    throw new DomainError({ reason: "STORE_UNAVAILABLE", retryAfterMs: RETRY_AFTER_MS });
  }
  return { timeline: head.timeline ?? "", snapshot: parseSnapshot(head.snapshot) };
}

function isFound(row: Head | Row): row is Row {
  return row.digest !== null;
}

function fromRow(row: Row): KnownSecret & { readonly digest: string } {
  const tenantId = fromUuid("ten", row.tenant_id);
  const keyspaceId = fromUuid("ks", row.keyspace_id);
  const keyId = fromUuid("key", row.key_id);
  const { list: permissions, set } = sharePermissions(row.permissions);
  const { metadata } = row;
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
      permissions: set,
    },
    facts: { keyId, keyspaceId, ownerId: row.owner_id, displayName: row.display_name, permissions, metadata },
    allowedKeyspaceIds: row.allowed_keyspace_ids.map((uuid) => fromUuid("ks", uuid)),
    imported: row.imported,
    entities: [
      { id: keyId, version: row.key_version },
      { id: keyspaceId, version: row.keyspace_version },
      { id: tenantId, version: row.tenant_version },
    ],
    keyspaceMode: { mode: row.revocation_mode, settled: row.mode_settled },
  };
}

/** An address that nobody calls from. */
const NOWHERE: Cidr = { network: { version: 4, bits: 0n }, prefixLength: 32 };

/** Addresses are checked when they are written. One that cannot be read now lets nobody in, and spoils no other key's verdict. */
function cidrOf(text: string): Cidr {
  const result = parseCidr(text);
  return result.ok ? result.cidr : NOWHERE;
}
