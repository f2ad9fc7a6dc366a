import { hash, timingSafeEqual } from "node:crypto";

/** Tells what was made with a key from everything else. */
export interface Mac {
  /** 43 characters of base64url. */
  of(message: string | Uint8Array): string;
  /** Whether `mac` is that of `message`; in a time that says nothing of where they differ. */
  matches(message: string | Uint8Array, mac: Uint8Array): boolean;
}

/** Bytes of a MAC in base64url, as it is written. */
export const MAC_BYTES = 43;

/** Block of SHA-256, as RFC 2104 calls B. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** Bytes of the longest message. */
export const MESSAGE_BYTES_MAX = 128 * 1024;

/**
 * HMAC-SHA-256 (RFC 2104) made of two one-shot hashes, which takes a tenth of `createHmac`'s time for a message of 600 bytes.
 *
 * @param key at most 64 bytes
 * @throws RangeError, of both methods, for a message beyond `MESSAGE_BYTES_MAX`
 */
export function createMac(key: Uint8Array): Mac {
  if (key.length > BLOCK_BYTES) throw new RangeError("the key is longer than a block");
  const inner = padded(key, 0x36, MESSAGE_BYTES_MAX);
  const outer = padded(key, 0x5c, DIGEST_BYTES);
  const expected = Buffer.alloc(MAC_BYTES);

  function of(message: string | Uint8Array): string {
    const bytes = inner.subarray(0, BLOCK_BYTES + put(message));
    outer.write(hash("sha256", bytes, "binary"), BLOCK_BYTES, "latin1");
    return hash("sha256", outer, "base64url");
  }

  function put(message: string | Uint8Array): number {
    const length = typeof message === "string" ? Buffer.byteLength(message) : message.length;
    // What does not fit would be cut off, and a part pass for the whole.
    if (length > MESSAGE_BYTES_MAX) throw new RangeError("the message is too long");
    if (typeof message === "string") inner.write(message, BLOCK_BYTES);
    else inner.set(message, BLOCK_BYTES);
    return length;
  }

  return {
    of,
    matches(message, mac) {
      if (mac.length !== MAC_BYTES) return false;
      expected.write(of(message), "latin1");
      return timingSafeEqual(expected, mac);
    },
  };
}

function padded(key: Uint8Array, pad: number, room: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES + room);
  for (let index = 0; index < BLOCK_BYTES; index++) bytes[index] = (key[index] ?? 0) ^ pad;
  return bytes;
}
