import type { Reading } from "../verify/known-secret.ts";
import { MAC_BYTES, type Mac } from "./mac.ts";
import { readReading, writeReading } from "./reading-text.ts";

/** Bytes of the largest value that is kept. */
export const VALUE_BYTES_MAX = 64 * 1024;

/** Why a value is not believed. */
export type DiscardReason =
  /** It is larger than any that is kept. */
  | "size"
  /** Not a byte of it may be changed, and none but this deployment can make it. */
  | "mac"
  /** It belongs to another name: answers have got out of step, or somebody has moved it. */
  | "name"
  /** It is ours, but not of a form that this version of the code writes. */
  | "form";

export type Opened =
  | { readonly kind: "reading"; readonly reading: Reading }
  /** Something newer than what was here is known of. */
  | { readonly kind: "tombstone" }
  | { readonly kind: "discarded"; readonly reason: DiscardReason };

/** A value as it is written. */
export interface SealedValue {
  readonly text: string;
  /** By which of two readings of a digest is the newer. */
  readonly version: number;
}

/**
 * What is written under the name that `tag` stands for: `r`, the version, the tag, the reading as text, and the MAC of all that.
 * Kind and version stand first, for the scripts to compare. Undefined if it is too large to be kept.
 */
export function sealValue(mac: Mac, tag: string, reading: Reading): SealedValue | undefined {
  const version = versionOf(reading);
  const text = `r${version} ${tag} ${writeReading(reading)}`;
  if (Buffer.byteLength(text) + MAC_BYTES > VALUE_BYTES_MAX) return undefined;
  return { text: text + mac.of(text), version };
}

/**
 * In the place of what is older than `version`. It needs no MAC: a value that somebody has put a tombstone over is a value that
 * somebody has deleted.
 */
export function tombstoneOf(version: number): string {
  return `t${version} `;
}

const TOMBSTONE = /^t[0-9]{1,16} $/;
const TOMBSTONE_BYTES_MAX = 18;
const HEAD = /^r(?<version>[0-9]{1,16}) (?<tag>[\w-]+) /;

/** What stands at the name for `tag`. Never throws. */
export function openValue(mac: Mac, tag: string, value: Buffer): Opened {
  if (value.length > VALUE_BYTES_MAX) return discarded("size");
  if (value.length <= TOMBSTONE_BYTES_MAX && TOMBSTONE.test(value.toString("latin1"))) return { kind: "tombstone" };
  const end = value.length - MAC_BYTES;
  if (end < 0 || !mac.matches(value.subarray(0, end), value.subarray(end))) return discarded("mac");

  const text = value.toString("utf8", 0, end);
  const head = HEAD.exec(text);
  if (head?.groups === undefined) return discarded("form");
  if (head.groups.tag !== tag) return discarded("name");
  const reading = readReading(text.slice(head[0].length));
  if (reading === undefined || versionOf(reading) !== Number(head.groups.version)) return discarded("form");
  return { kind: "reading", reading };
}

function discarded(reason: DiscardReason): Opened {
  return { kind: "discarded", reason };
}

/** The sum of the versions of its keys. */
function versionOf({ known }: Reading): number {
  return known.reduce((sum, { facts, entities }) => {
    return sum + (entities.find(({ id }) => id === facts.keyId)?.version ?? 0);
  }, 0);
}
