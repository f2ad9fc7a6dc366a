/** Where a request carries its key: `authorization`, as `Bearer <secret>` (RFC 6750), or another header, as it is. */
export type CredentialHeader = string;

/**
 * What a request presents:
 *
 * - `none`: no credential of ours; another scheme in `authorization` is somebody else's.
 * - `unusable`: one that nobody can make sense of, or several.
 * - `secret`: a text that may be a secret.
 */
export type Credential =
  | { readonly kind: "none" }
  | { readonly kind: "unusable"; readonly problem: string }
  | { readonly kind: "secret"; readonly secret: string };

/** The bearer scheme, in any case (RFC 9110, section 11.1), and what follows it. */
const BEARER = /^bearer(?:\s+(.*))?$/is;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/**
 * The credential among the values of `header`, one for each time that the request has it. Joined by a proxy, several
 * values have a blank between them, and no secret has one.
 */
export function credentialFrom(header: CredentialHeader, values: readonly string[]): Credential {
  const secrets = header.toLowerCase() === "authorization" ? values.flatMap(bearerOf) : values;
  const [secret, ...others] = secrets;
  if (secret === undefined) return { kind: "none" };
  if (others.length > 0) return { kind: "unusable", problem: "more than one API key" };
  if (!VISIBLE_ASCII.test(secret)) return { kind: "unusable", problem: `no single API key in the ${header} header` };
  return { kind: "secret", secret };
}

function bearerOf(value: string): string[] {
  const match = BEARER.exec(value.trim());
  return match === null ? [] : [match[1] ?? ""];
}
