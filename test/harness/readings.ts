import { compilePermissions } from "@clavis/sdk/rules";
import type { Position } from "../../src/coherence/position.ts";
import { parseSnapshot } from "../../src/coherence/snapshot.ts";
import type { KnownSecret, Reading } from "../../src/verify/known-secret.ts";

interface Parts extends Partial<Pick<KnownSecret, "keyspaceMode" | "allowedKeyspaceIds" | "entities">> {
  readonly record?: Partial<KnownSecret["record"]>;
  readonly facts?: Partial<KnownSecret["facts"]>;
}

/** What Postgres knows of the secret of a key that is valid in all that is not said. */
export function aKnownSecret({ record, facts, ...parts }: Parts = {}): KnownSecret {
  return {
    record: {
      tenantId: "ten_1",
      keyspaceId: "ks_1",
      keyId: "key_1",
      secretStopTime: null,
      revokeTime: null,
      expireTime: null,
      notBeforeTime: null,
      disabled: false,
      ownerDisabled: false,
      keyspaceDisabled: false,
      tenantSuspended: false,
      management: false,
      allowedAddresses: [],
      permissions: compilePermissions([]),
      ...record,
    },
    facts: {
      keyId: "key_1",
      keyspaceId: "ks_1",
      ownerId: "",
      displayName: "CI",
      permissions: [],
      metadata: {},
      ...facts,
    },
    allowedKeyspaceIds: [],
    imported: false,
    entities: [{ id: "key_1", version: 1 }],
    keyspaceMode: { mode: "available", settled: true },
    ...parts,
  };
}

/** What a read found that could see what `snapshot` does. */
export function aReading(known: readonly KnownSecret[] = [aKnownSecret()], snapshot = "10:10:"): Reading {
  return { known, position: positionAt(snapshot) };
}

export function positionAt(snapshot: string, timeline = "1"): Position {
  return { timeline, snapshot: parseSnapshot(snapshot) };
}
