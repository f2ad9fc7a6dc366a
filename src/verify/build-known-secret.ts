import { type Cidr, parseCidr } from "@clavis/sdk/rules";
import type { EntityVersion } from "../coherence/floors.ts";
import type { KeyspaceMode } from "../coherence/mode.ts";
import type { JsonObject } from "../json.ts";
import type { KnownSecret } from "./known-secret.ts";
import { sharePermissions } from "./permission-sets.ts";

/** All that a known secret is made of, as plain values: what a row of Postgres or an entry of a cache can hold. Times in Unix milliseconds. */
export interface SecretFields {
  readonly tenantId: string;
  readonly keyspaceId: string;
  readonly keyId: string;
  readonly ownerId: string;
  readonly displayName: string;
  /** The key's own and those of its roles. */
  readonly permissions: readonly string[];
  readonly metadata: JsonObject;
  readonly allowedKeyspaceIds: readonly string[];
  /** Networks as texts. */
  readonly allowedAddresses: readonly string[];
  readonly secretStopTime: number | null;
  readonly revokeTime: number | null;
  readonly expireTime: number | null;
  readonly notBeforeTime: number | null;
  readonly disabled: boolean;
  readonly ownerDisabled: boolean;
  readonly keyspaceDisabled: boolean;
  readonly tenantSuspended: boolean;
  readonly management: boolean;
  readonly imported: boolean;
  readonly entities: readonly EntityVersion[];
  readonly keyspaceMode: KeyspaceMode;
}

/** The one way in which a known secret is put together, so that what comes from a cache decides as what comes from Postgres. */
export function buildKnownSecret(fields: SecretFields): KnownSecret {
  const { tenantId, keyspaceId, keyId, ownerId, displayName, metadata } = fields;
  const { list: permissions, set } = sharePermissions(fields.permissions);
  return {
    record: {
      tenantId,
      keyspaceId,
      keyId,
      secretStopTime: fields.secretStopTime,
      revokeTime: fields.revokeTime,
      expireTime: fields.expireTime,
      notBeforeTime: fields.notBeforeTime,
      disabled: fields.disabled,
      ownerDisabled: fields.ownerDisabled,
      keyspaceDisabled: fields.keyspaceDisabled,
      tenantSuspended: fields.tenantSuspended,
      management: fields.management,
      allowedAddresses: fields.allowedAddresses.map(cidrOf),
      permissions: set,
    },
    facts: { keyId, keyspaceId, ownerId, displayName, permissions, metadata },
    allowedKeyspaceIds: fields.allowedKeyspaceIds,
    imported: fields.imported,
    entities: fields.entities,
    keyspaceMode: fields.keyspaceMode,
  };
}

/** An address that nobody calls from. */
const NOWHERE: Cidr = { network: { version: 4, bits: 0n }, prefixLength: 32 };

/** Addresses are checked when they are written. One that cannot be read now lets nobody in, and spoils no other key's verdict. */
function cidrOf(text: string): Cidr {
  const result = parseCidr(text);
  return result.ok ? result.cidr : NOWHERE;
}
