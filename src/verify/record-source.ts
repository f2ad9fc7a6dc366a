import type { Soon } from "../soon.ts";
import type { KnownSecret } from "./known-secret.ts";

/** What is asked of a record source. */
export interface Wanted {
  /** SHA-256 of the secret in hexadecimal digits. */
  readonly digest: string;
  /** Several tenants may know one secret. Says which of them is meant. */
  readonly isMeant: (known: KnownSecret) => boolean;
  /** Who asks. Whoever asks for too much that nobody knows has to wait behind the others. */
  readonly payer: string;
}

export interface Found {
  /** Undefined if it is not known. */
  readonly known: KnownSecret | undefined;
  /** Whether Postgres did not answer, and this is what was known up to a minute ago. */
  readonly degraded: boolean;
}

/** Where the records behind secrets come from. */
export interface RecordSource {
  /** Throws STORE_UNAVAILABLE, and TOO_MANY_UNKNOWN_SECRETS to payers that have overdone it. */
  find(wanted: Wanted): Soon<Found>;
  /** All that Postgres knows of a digest, and nothing but Postgres. */
  read(digest: string): Promise<readonly KnownSecret[]>;
}
