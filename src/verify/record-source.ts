import type { VerifyRecord } from "@clavis/sdk/rules";
import type { JsonObject } from "../json.ts";

/** What a verdict rests on, and the facts that travel with it. */
export interface KnownSecret {
  readonly record: VerifyRecord;
  readonly facts: VerifiedKey;
  /** Of a management key: the keyspaces that its permissions are held to; empty for all. */
  readonly allowedKeyspaceIds: readonly string[];
  readonly imported: boolean;
}

/** What the verifier learns of a key. */
export interface VerifiedKey {
  readonly keyId: string;
  readonly keyspaceId: string;
  readonly ownerId: string;
  readonly displayName: string;
  readonly permissions: readonly string[];
  readonly metadata: JsonObject;
}

/** Finds secrets by digest, each lookup after the calls before it: what was committed is seen. */
export interface RecordSource {
  /**
   * What is known of secrets, by SHA-256 in hexadecimal digits, in the order asked for. A digest has one answer at most within a
   * tenant; without a tenant it may have several, as two may have imported the same one. Throws STORE_UNAVAILABLE.
   */
  find(
    digests: readonly string[],
    signal: AbortSignal,
    tenantId?: string,
  ): Promise<readonly (readonly KnownSecret[])[]>;
}
