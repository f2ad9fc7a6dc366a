import { randomBytes } from "node:crypto";
import type { Clock } from "./time.ts";

/** What an id may be of. The words stand before it: `key_01jd...`. */
export type IdKind = "ten" | "ks" | "key" | "evt";

/** Makes an id that sorts after all that were made in earlier milliseconds. */
export type NewId = (kind: IdKind) => string;

/** Crockford's base32 in lower case, as TypeID writes UUIDs (https://github.com/jetify-com/typeid, version 0.3). */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LENGTH = 26;
const SUFFIX = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** Ids over UUIDv7 (RFC 9562, section 5.7) at the time of `clock`. */
export function createIds(clock: Clock, random: (size: number) => Uint8Array = randomBytes): NewId {
  return (kind) => `${kind}_${encode(uuidV7(clock(), random))}`;
}

/** The UUID behind an id in its usual form, as Postgres keeps it. Undefined for what is no id of this kind. */
export function uuidOf(kind: IdKind, id: string): string | undefined {
  const suffix = id.slice(kind.length + 1);
  if (!id.startsWith(`${kind}_`) || !SUFFIX.test(suffix)) return undefined;
  const hex = decode(suffix).toString(16).padStart(32, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The id of this kind for a UUID in its usual form. */
export function idOf(kind: IdKind, uuid: string): string {
  return `${kind}_${encode(BigInt(`0x${uuid.replaceAll("-", "")}`))}`;
}

function uuidV7(now: number, random: (size: number) => Uint8Array): bigint {
  const tail = BigInt(`0x${Buffer.from(random(10)).toString("hex")}`);
  const randomA = (tail >> 62n) & 0xfffn;
  const randomB = tail & ((1n << 62n) - 1n);
  return (BigInt(now) << 80n) | (7n << 76n) | (randomA << 64n) | (2n << 62n) | randomB;
}

function encode(value: bigint): string {
  let text = "";
  for (let shift = (SUFFIX_LENGTH - 1) * 5; shift >= 0; shift -= 5)
    text += ALPHABET[Number((value >> BigInt(shift)) & 31n)];
  return text;
}

function decode(suffix: string): bigint {
  let value = 0n;
  for (const character of suffix) value = (value << 5n) | BigInt(ALPHABET.indexOf(character));
  return value;
}
