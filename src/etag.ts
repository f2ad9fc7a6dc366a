import { DomainError } from "./errors.ts";

/** What changes with each change of a resource. Opaque to callers. */
export function etagOf({ version }: { readonly version: number }): string {
  return `"${version.toString(36)}"`;
}

/** Throws ETAG_MISMATCH unless the caller's etag is the resource's, or empty. */
export function checkEtag(resource: { readonly version: number }, etag: string): void {
  if (etag !== "" && etag !== etagOf(resource)) throw new DomainError({ reason: "ETAG_MISMATCH" });
}
