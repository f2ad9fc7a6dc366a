import { canonicalCidr } from "@clavis/sdk/rules";
import type { EntityVersion } from "../coherence/floors.ts";
import type { KeyspaceMode } from "../coherence/mode.ts";
import { formatSnapshot, parseSnapshot, type Snapshot } from "../coherence/snapshot.ts";
import type { JsonObject } from "../json.ts";
import { buildKnownSecret, type SecretFields } from "../verify/build-known-secret.ts";
import type { KnownSecret, Reading } from "../verify/known-secret.ts";

type Check<Value> = (value: unknown) => value is Value;

/** What each field must be, in the order in which they are written. A field that is added to `SecretFields` has to be added here. */
const checks: { readonly [Name in keyof SecretFields]: Check<SecretFields[Name]> } = {
  tenantId: isText,
  keyspaceId: isText,
  keyId: isText,
  ownerId: isText,
  displayName: isText,
  permissions: isTexts,
  metadata: isObject,
  allowedKeyspaceIds: isTexts,
  allowedAddresses: isTexts,
  secretStopTime: isTime,
  revokeTime: isTime,
  expireTime: isTime,
  notBeforeTime: isTime,
  disabled: isFlag,
  ownerDisabled: isFlag,
  keyspaceDisabled: isFlag,
  tenantSuspended: isFlag,
  management: isFlag,
  imported: isFlag,
  entities: isEntities,
  keyspaceMode: isMode,
};

const columns = Object.entries(checks) as [keyof SecretFields, Check<unknown>][];

/** A reading as JSON: timeline, snapshot, and for each known secret an array of its fields without their names. */
export function writeReading({ known, position }: Reading): string {
  const rows = known.map((one) => {
    const fields = fieldsOf(one);
    return columns.map(([name]) => fields[name]);
  });
  return JSON.stringify([position.timeline, formatSnapshot(position.snapshot), rows]);
}

/** What `writeReading` wrote, or undefined for anything else, such as what another version of it writes. */
export function readReading(text: string): Reading | undefined {
  const value = parseJson(text);
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [timeline, snapshotText, rows] = value as unknown[];
  if (!isText(timeline) || !isText(snapshotText) || !Array.isArray(rows) || rows.length === 0) return undefined;
  const snapshot = readSnapshot(snapshotText);
  if (snapshot === undefined) return undefined;
  const known: KnownSecret[] = [];
  for (const row of rows as unknown[]) {
    if (!Array.isArray(row) || row.length !== columns.length) return undefined;
    const fields = readFields(row);
    if (fields === undefined) return undefined;
    known.push(buildKnownSecret(fields));
  }
  return { known, position: { timeline, snapshot } };
}

function fieldsOf({ record, facts, allowedKeyspaceIds, imported, entities, keyspaceMode }: KnownSecret): SecretFields {
  const { ownerId, displayName, permissions, metadata } = facts;
  const allowedAddresses = record.allowedAddresses.map(canonicalCidr);
  const others = { ownerId, displayName, metadata, allowedKeyspaceIds, imported, entities, keyspaceMode };
  return { ...record, ...others, permissions, allowedAddresses };
}

function readFields(row: readonly unknown[]): SecretFields | undefined {
  const fields: Partial<Record<keyof SecretFields, unknown>> = {};
  for (let index = 0; index < columns.length; index++) {
    const [name, check] = columns[index] as [keyof SecretFields, Check<unknown>];
    const value = row[index];
    if (!check(value)) return undefined;
    fields[name] = value;
  }
  return fields as SecretFields;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readSnapshot(text: string): Snapshot | undefined {
  try {
    return parseSnapshot(text);
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isTime(value: unknown): value is number | null {
  return value === null || typeof value === "number";
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEntities(value: unknown): value is readonly EntityVersion[] {
  return Array.isArray(value) && value.every(isEntity);
}

function isEntity(value: unknown): value is EntityVersion {
  return isObject(value) && isText(value.id) && Number.isSafeInteger(value.version);
}

function isMode(value: unknown): value is KeyspaceMode {
  return isObject(value) && (value.mode === "strict" || value.mode === "available") && isFlag(value.settled);
}
