import { encodeBase62, type RandomBytes, sampleBase62 } from "./base62.ts";
import { crc32 } from "./crc32.ts";

/** Characters in the longest text that may be a secret, imported ones included; generous next to Clavis's own 82. */
export const SECRET_LENGTH_MAX = 512;

/** 62^43 is just over 2^256. */
const BODY_LENGTH = 43;

/** 62^6 exceeds 2^32, so each CRC-32 has exactly one checksum. */
const CHECKSUM_LENGTH = 6;

const TAIL_LENGTH = BODY_LENGTH + CHECKSUM_LENGTH;

const PREFIX = /^[a-z0-9][a-z0-9_]{0,30}[a-z0-9]$/;
const BODY = /^[0-9A-Za-z]{43}$/;
const CLAVIS = /^[a-z0-9][a-z0-9_]{0,30}[a-z0-9]_[0-9A-Za-z]{49}$/;

/** Printable ASCII without the space: what headers and environment variables carry unchanged. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Shown at either end of a secret, at most. */
const SHOWN_MAX = 4;

/** An imported secret shorter than this is not shown in part: each character of so short a text is worth too much. */
const PARTLY_SHOWN_LENGTH_MIN = 16;

/**
 * What a text is before anything is looked up:
 *
 * - `clavis`: of Clavis's shape, with the right checksum. It may exist.
 * - `foreign`: of another shape. An imported key may have any, so it may exist too.
 * - `malformed`: a Clavis secret with a typo, or nothing that can be a secret at all. It does not exist, since
 *   nothing of this shape is imported.
 */
export type SecretShape = "clavis" | "foreign" | "malformed";

/**
 * The secret `{prefix}_{body}{checksum}`, the checksum being the CRC-32 of all before it. It tells a typo from a
 * secret without a look-up and proves nothing: anyone can compute it.
 *
 * @param body 43 base62 characters, as `bodyFrom` makes them
 * @throws RangeError if the prefix or the body has not the right form; the message names neither
 */
export function formatSecret(prefix: string, body: string): string {
  if (!isPrefix(prefix)) throw new RangeError("not a prefix of secrets");
  if (!BODY.test(body)) throw new RangeError(`the body of a secret is ${BODY_LENGTH} base62 characters`);
  const checked = `${prefix}_${body}`;
  return checked + checksumOf(checked);
}

/** Whether `text` can stand before a secret: 2 to 32 of `[a-z0-9_]` that neither begin nor end with an underscore. */
export function isPrefix(text: string): boolean {
  return PREFIX.test(text);
}

/**
 * 43 base62 characters, 256 bits, by rejection sampling.
 *
 * @throws Error if the source gives too few usable bytes, which a sound one does not
 */
export function bodyFrom(randomBytes: RandomBytes): string {
  return sampleBase62(BODY_LENGTH, randomBytes);
}

/** What `text` is, by its characters alone. Never throws, whatever the text. */
export function shapeOf(text: string): SecretShape {
  if (text.length > SECRET_LENGTH_MAX) return "malformed";
  if (CLAVIS.test(text)) {
    const checked = text.slice(0, -CHECKSUM_LENGTH);
    return text.endsWith(checksumOf(checked)) ? "clavis" : "malformed";
  }
  return VISIBLE_ASCII.test(text) ? "foreign" : "malformed";
}

/** The prefix of a secret of shape `clavis`; undefined of any other text, whose beginning may itself be secret. */
export function prefixOf(secret: string): string | undefined {
  return shapeOf(secret) === "clavis" ? secret.slice(0, -TAIL_LENGTH - 1) : undefined;
}

/**
 * What people are shown of a secret, to tell it from others: `acme_live_4fQ2...9sXk`. That leaves more than 200 bits
 * unsaid. Of a foreign secret it is at most a quarter, 4 characters at either end, and of a short one or of
 * something malformed just `...`.
 */
export function maskSecret(secret: string): string {
  const shape = shapeOf(secret);
  if (shape === "clavis") return maskBetween(secret, secret.length - TAIL_LENGTH + SHOWN_MAX, SHOWN_MAX);
  if (shape === "malformed" || secret.length < PARTLY_SHOWN_LENGTH_MIN) return "...";
  const shown = Math.min(SHOWN_MAX, Math.floor(secret.length / 8));
  return maskBetween(secret, shown, shown);
}

function maskBetween(secret: string, head: number, tail: number): string {
  return `${secret.slice(0, head)}...${secret.slice(-tail)}`;
}

function checksumOf(checked: string): string {
  return encodeBase62(crc32(checked), CHECKSUM_LENGTH);
}
