import type { Reading } from "./known-secret.ts";

/** Where secrets are known by SHA-256, in hexadecimal digits. */
export interface SecretStore {
  /**
   * What Postgres knows of these digests. A digest has one answer at most within a tenant, but several tenants may have imported
   * the same one; then the elder key comes first. Sees all that was committed before the call. Throws STORE_UNAVAILABLE, also
   * where only a standby answers.
   */
  readAll(digests: readonly string[]): Promise<(digest: string) => Reading>;
  /** The digests of these keys' secrets, each with its key. Throws STORE_UNAVAILABLE. */
  digestsOf(keyIds: readonly string[]): Promise<readonly { readonly keyId: string; readonly digest: string }[]>;
}
