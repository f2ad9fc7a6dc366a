import { ClavisError } from "../errors/clavis-error.ts";

/** `T` with the fields `F`, which the contract always sets, though Protobuf's types cannot say so. */
export type Present<T, F extends keyof T> = T & { [P in F]-?: Exclude<T[P], undefined> };

/**
 * `response`, whose `fields` are known to be there.
 *
 * @throws ClavisError `UNKNOWN` if one is missing, which breaks the contract
 */
export function present<T extends { $typeName: string }, F extends keyof T>(
  response: T,
  ...fields: F[]
): Present<T, F> {
  const missing = fields.filter((field) => response[field] === undefined);
  if (missing.length === 0) return response as Present<T, F>;
  throw new ClavisError({
    reason: "UNKNOWN",
    code: "INTERNAL",
    message: `the service left out ${missing.join(", ")} of ${response.$typeName}`,
    retryable: false,
  });
}
