import { hash, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { bodyFrom, formatSecret } from "@clavis/sdk/rules";

const HIDDEN = "[secret]";

/**
 * Text that must not leak. Whatever prints, logs, serialises or inspects it shows `[secret]`; only `reveal()` gives the
 * text, so that each place which needs it can be found by that word.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** SHA-256 of the whole secret in hexadecimal digits: what is kept of it, and what caches go by. */
export function digestOf(secret: Secret): string {
  return hash("sha256", secret.reveal(), "hex");
}

/** Makes a secret that begins with `prefix`. */
export type NewSecret = (prefix: string) => Secret;

/** Secrets from the operating system's random numbers. */
export function createSecrets(random: (size: number) => Uint8Array = randomBytes): NewSecret {
  return (prefix) => new Secret(formatSecret(prefix, bodyFrom(random)));
}
