import {
  type Actor,
  type Duration,
  durationMs,
  type Event,
  type Key,
  KeyState,
  KeyStateSchema,
  type Keyspace,
  Outcome,
  OutcomeSchema,
  RevocationModeSchema,
  RevokeReasonSchema,
  type Target,
  type Tenant,
  type Timestamp,
  timestampDate,
  type VerifyResponse,
} from "@clavis/sdk";
import { enumWords } from "./enum-words.ts";
import { formatInstant } from "./instant.ts";
import { formatSpan } from "./span.ts";
import type { Tone } from "./terminal.ts";

/** One thing that people are shown of a `T`. */
export interface Field<T> {
  readonly name: string;
  /** Empty where there is nothing to say. */
  readonly of: (item: T) => string;
  /** Whether lists have a column for it, and whether that may be narrowed. */
  readonly column?: "fixed" | "elastic";
  /** Lists on a narrow terminal do without it, the highest number first. */
  readonly spare?: number;
  readonly tone?: (item: T) => Tone | undefined;
}

/** How people are shown a `T`: each field on a line of its own, or a row of some of them. */
export type View<T> = readonly Field<T>[];

export const states = enumWords(KeyStateSchema);
export const revokeReasons = enumWords(RevokeReasonSchema);
export const revocationModes = enumWords(RevocationModeSchema);
const outcomes = enumWords(OutcomeSchema);

export const keyView: View<Key> = [
  { name: "id", of: ({ id }) => id, column: "fixed" },
  { name: "name", of: ({ displayName }) => displayName, column: "elastic" },
  { name: "state", of: ({ state }) => states.wordOf(state), column: "fixed", tone: ({ state }) => stateTones[state] },
  { name: "secret", of: ({ maskedSecret }) => maskedSecret, column: "fixed", spare: 1 },
  { name: "owner", of: ({ ownerId }) => ownerId, column: "elastic", spare: 3 },
  { name: "expires", of: ({ expireTime }) => time(expireTime), column: "fixed", spare: 2 },
  { name: "not before", of: ({ notBeforeTime }) => time(notBeforeTime) },
  { name: "permissions", of: ({ permissions }) => permissions.join(" ") },
  { name: "addresses", of: ({ allowedAddresses }) => allowedAddresses.join(" ") },
  { name: "held to", of: ({ allowedKeyspaceIds }) => allowedKeyspaceIds.join(" ") },
  { name: "metadata", of: ({ metadata }) => jsonText(metadata) },
  { name: "overlap until", of: ({ rotation }) => time(rotation?.overlapEndTime), tone: () => "wary" },
  { name: "previous secret", of: ({ rotation }) => rotation?.previousMaskedSecret ?? "" },
  { name: "revoked", of: ({ revocation }) => time(revocation?.time) },
  { name: "reason", of: ({ revocation }) => revokeReasons.wordOf(revocation?.reason ?? 0) },
  { name: "reason text", of: ({ revocation }) => revocation?.reasonText ?? "" },
  { name: "imported", of: ({ imported }) => (imported ? "yes" : "") },
  { name: "keyspace", of: ({ keyspaceId }) => keyspaceId },
  { name: "created", of: ({ createTime }) => time(createTime) },
  { name: "updated", of: ({ updateTime }) => time(updateTime) },
  { name: "etag", of: ({ etag }) => etag },
];

const stateTones: Partial<Record<KeyState, Tone>> = {
  [KeyState.ACTIVE]: "good",
  [KeyState.DISABLED]: "wary",
  [KeyState.NOT_YET_VALID]: "wary",
  [KeyState.EXPIRED]: "bad",
  [KeyState.REVOKED]: "bad",
};

export const keyspaceView: View<Keyspace> = [
  { name: "id", of: ({ id }) => id, column: "fixed" },
  { name: "name", of: ({ displayName }) => displayName, column: "elastic" },
  { name: "prefix", of: ({ prefix }) => prefix, column: "fixed" },
  { name: "earlier prefixes", of: ({ earlierPrefixes }) => earlierPrefixes.join(" ") },
  { name: "default ttl", of: ({ defaultTtl }) => span(defaultTtl), column: "fixed", spare: 4 },
  { name: "max ttl", of: ({ maxTtl }) => span(maxTtl), column: "fixed", spare: 2 },
  { name: "grants", of: ({ grantablePermissions }) => grantablePermissions.join(" "), column: "elastic", spare: 3 },
  { name: "revocation mode", of: ({ revocationMode }) => revocationModes.wordOf(revocationMode) },
  { name: "note", of: keyspaceNote, column: "fixed", spare: 1, tone: ({ disabled }) => (disabled ? "wary" : "quiet") },
  { name: "created", of: ({ createTime }) => time(createTime) },
  { name: "updated", of: ({ updateTime }) => time(updateTime) },
  { name: "etag", of: ({ etag }) => etag },
];

export const tenantView: View<Tenant> = [
  { name: "id", of: ({ id }) => id, column: "fixed" },
  { name: "name", of: ({ displayName }) => displayName, column: "elastic" },
  { name: "note", of: ({ suspended }) => (suspended ? "suspended" : ""), column: "fixed", tone: () => "wary" },
  { name: "management", of: ({ managementKeyspaceId }) => managementKeyspaceId },
  { name: "created", of: ({ createTime }) => time(createTime), column: "fixed" },
  { name: "updated", of: ({ updateTime }) => time(updateTime) },
  { name: "etag", of: ({ etag }) => etag },
];

export const eventView: View<Event> = [
  { name: "sequence", of: ({ sequence }) => String(sequence), column: "fixed", spare: 1 },
  { name: "time", of: (event) => time(event.time), column: "fixed" },
  { name: "type", of: ({ type }) => type, column: "fixed" },
  { name: "actor", of: ({ actor }) => actorText(actor), column: "fixed", spare: 3 },
  { name: "target", of: ({ targets }) => targetText(targets[0]), column: "fixed" },
  { name: "changed", of: ({ changedFields }) => changedFields?.paths.join(" ") ?? "", column: "elastic", spare: 2 },
  { name: "address", of: ({ address }) => address, column: "fixed", spare: 4 },
];

export const verdictView: View<VerifyResponse> = [
  {
    name: "outcome",
    of: ({ outcome }) => outcomes.wordOf(outcome),
    tone: ({ outcome }) => (outcome === Outcome.VALID ? "good" : "bad"),
  },
  { name: "message", of: ({ message }) => message },
  { name: "missing", of: ({ missingPermissions }) => missingPermissions.join(" ") },
  { name: "key", of: ({ key }) => key?.id ?? "" },
  { name: "name", of: ({ key }) => key?.displayName ?? "" },
  { name: "owner", of: ({ key }) => key?.ownerId ?? "" },
  { name: "permissions", of: ({ key }) => key?.permissions.join(" ") ?? "" },
  { name: "metadata", of: ({ key }) => jsonText(key?.metadata) },
  { name: "expires", of: ({ key }) => time(key?.expireTime) },
  { name: "degraded", of: degradedNote, tone: () => "wary" },
  { name: "secret stops", of: ({ key }) => time(key?.secretStopTime), tone: () => "wary" },
];

/** A time of the contract for people; empty if there is none. */
export function time(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? "" : formatInstant(timestampDate(timestamp));
}

function span(duration: Duration | undefined): string {
  return duration === undefined ? "" : formatSpan(durationMs(duration));
}

function keyspaceNote({ management, disabled }: Keyspace): string {
  if (management) return "management keys";
  return disabled ? "disabled" : "";
}

function degradedNote({ degraded }: VerifyResponse): string {
  return degraded ? "Postgres did not answer: this was known up to 60 s ago" : "";
}

/** An id says by itself what it is of. */
function actorText(actor: Actor | undefined): string {
  return actor === undefined ? "" : actor.id || actor.type;
}

function targetText(target: Target | undefined): string {
  return target === undefined ? "" : target.id || target.type;
}

function jsonText(metadata: object = {}): string {
  return Object.keys(metadata).length === 0 ? "" : JSON.stringify(metadata);
}
