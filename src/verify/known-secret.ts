import type { VerifyRecord } from "@clavis/sdk/rules";
import type { EntityVersion } from "../coherence/floors.ts";
import type { ReadRecord } from "../coherence/horizon.ts";
import type { KeyspaceMode } from "../coherence/mode.ts";
import type { Position } from "../coherence/position.ts";
import type { JsonObject } from "../json.ts";

/** What a verdict rests on, and the facts that travel with it. */
export interface KnownSecret {
  readonly record: VerifyRecord;
  readonly facts: VerifiedKey;
  /** Of a management key: the keyspaces that its permissions are held to; empty for all. */
  readonly allowedKeyspaceIds: readonly string[];
  readonly imported: boolean;
  /** The versions of all that it was joined from: key, keyspace and tenant, and of owner and roles where there are any. */
  readonly entities: readonly EntityVersion[];
  /** Whether it may stand in, when cached, for a Postgres that does not answer. */
  readonly keyspaceMode: KeyspaceMode;
}

/** What the verifier learns of a key. */
export interface VerifiedKey {
  readonly keyId: string;
  readonly keyspaceId: string;
  readonly ownerId: string;
  readonly displayName: string;
  readonly permissions: readonly string[];
  readonly metadata: JsonObject;
}

/** What one read of Postgres found for one digest. */
export interface Reading {
  /** Of several tenants, if they have imported the same secret; the elder key first. Empty if nobody knows it. */
  readonly known: readonly KnownSecret[];
  /** What the read could see. */
  readonly position: Position;
}

/** The reading as far as its belief is concerned. */
export function readRecordOf({ known, position }: Reading): ReadRecord {
  const [first, second] = known;
  const entities = first !== undefined && second === undefined ? first.entities : known.flatMap((one) => one.entities);
  return { position, entities };
}
