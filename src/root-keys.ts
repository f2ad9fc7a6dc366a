import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** What a key is derived for. Each use has keys of its own, so that one broken use tells nothing of another. */
export type KeyUse = "page-token" | "replay" | "redis-names" | "shared-cache" | "bulletin";

/** A secret that all others are derived from. */
export interface RootKey {
  /** 1 to 16 of `[a-z0-9-]`. Written beside what it sealed. */
  readonly id: string;
  /** At least 32 bytes. */
  readonly bytes: Uint8Array;
}

/** Seals what only this deployment may read or change. The first root key seals; all of them open. */
export interface Sealer {
  /** Encrypts and authenticates. `salt` enters the key: what was sealed under one opens under no other. */
  seal(use: KeyUse, plain: Uint8Array, salt?: string): Uint8Array;
  /** What was sealed, or undefined for anything that was not sealed so. */
  open(use: KeyUse, sealed: Uint8Array, salt?: string): Uint8Array | undefined;
}

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM under HKDF-SHA-256 (RFC 5869) of a root key. A sealed text is: one byte with the length of the root key's
 * id, the id, the nonce, the tag, the cipher text.
 */
export function createSealer(rootKeys: readonly [RootKey, ...RootKey[]]): Sealer {
  const [first] = rootKeys;
  return {
    seal(use, plain, salt = "") {
      const nonce = randomBytes(NONCE_BYTES);
      const id = Buffer.from(first.id);
      const cipher = createCipheriv(CIPHER, deriveKey(first, use, salt), nonce);
      cipher.setAAD(id);
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Buffer.of(id.length), id, nonce, cipher.getAuthTag(), text]);
    },
    open(use, sealed, salt = "") {
      const bytes = Buffer.from(sealed);
      const idEnd = 1 + (bytes[0] ?? 0);
      const tagStart = idEnd + NONCE_BYTES;
      const textStart = tagStart + TAG_BYTES;
      if (bytes.length < textStart) return undefined;
      const id = bytes.subarray(1, idEnd);
      const rootKey = rootKeys.find((candidate) => candidate.id === id.toString());
      if (rootKey === undefined) return undefined;
      const decipher = createDecipheriv(CIPHER, deriveKey(rootKey, use, salt), bytes.subarray(idEnd, tagStart));
      decipher.setAAD(id);
      decipher.setAuthTag(bytes.subarray(tagStart, textStart));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(textStart)), decipher.final()]);
      } catch {
        return undefined;
      }
    },
  };
}

/** A new root key, for a deployment that makes its own. */
export function newRootKey(id: string): RootKey {
  return { id, bytes: randomBytes(KEY_BYTES) };
}

/** The 32 bytes that `use` has of this root key. For who needs another primitive than a sealer's. */
export function deriveKey(rootKey: RootKey, use: KeyUse, salt = ""): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", rootKey.bytes, salt, `clavis ${use}`, KEY_BYTES));
}
