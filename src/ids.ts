import { randomBytes } from "node:crypto";
import type { Clock } from "./time.ts";

/** What an id may be of. The words stand before it: `key_01jd...`. */
export type IdKind = "ten" | "ks" | "key" | "evt";

/** Makes an id that sorts after all that were made in earlier milliseconds. */
export type NewId = (kind: IdKind) => string;

/** Crockford's base32 in lower case, as TypeID writes UUIDs (https://github.com/jetify-com/typeid, version 0.3). */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const HEX = "0123456789abcdef";
const HEX_LENGTH = 32;
const SUFFIX = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** Ids over UUIDv7 (RFC 9562, section 5.7) at the time of `clock`. */
export function createIds(clock: Clock, random: (size: number) => Uint8Array = randomBytes): NewId {
  return (kind) => `${kind}_${encode(uuidV7(clock(), random).toString(16).padStart(HEX_LENGTH, "0"))}`;
}

/** The UUID behind an id in its usual form, as Postgres keeps it. Undefined for what is no id of this kind. */
export function uuidOf(kind: IdKind, id: string): string | undefined {
  const suffix = id.slice(kind.length + 1);
  if (!id.startsWith(`${kind}_`) || !SUFFIX.test(suffix)) return undefined;
  const hex = decode(suffix);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The id of this kind for a UUID in its usual form. */
export function idOf(kind: IdKind, uuid: string): string {
  return `${kind}_${encode(uuid.replaceAll("-", ""))}`;
}

function uuidV7(now: number, random: (size: number) => Uint8Array): bigint {
  const tail = BigInt(`0x${Buffer.from(random(10)).toString("hex")}`);
  const randomA = (tail >> 62n) & 0xfffn;
  const randomB = tail & ((1n << 62n) - 1n);
  return (BigInt(now) << 80n) | (7n << 76n) | (randomA << 64n) | (2n << 62n) | randomB;
}

// Each row that is read has several ids, so both ways go by small numbers; by way of bigints they took several times as long.

/** Two characters for ten bits. */
const PAIRS = Array.from({ length: 1024 }, (_, ten) => ALPHABET.charAt(ten >> 5) + ALPHABET.charAt(ten & 31));

/** Of 128 bits in hexadecimal digits. Two zero bits come first, so that 26 characters of five bits each are full. */
function encode(hex: string): string {
  let text = pair(Number.parseInt(hex.slice(0, 2), 16));
  for (let at = 2; at < HEX_LENGTH; at += 5) {
    const twenty = Number.parseInt(hex.slice(at, at + 5), 16);
    text += pair(twenty >> 10) + pair(twenty & 1023);
  }
  return text;
}

function pair(ten: number): string {
  return PAIRS[ten] ?? "";
}

function decode(suffix: string): string {
  let hex = "";
  let left = 0;
  let bits = -2;
  for (const character of suffix) {
    left = (left << 5) | ALPHABET.indexOf(character);
    for (bits += 5; bits >= 4; left &= (1 << bits) - 1) {
      bits -= 4;
      hex += HEX.charAt(left >> bits);
    }
  }
  return hex;
}
