import type { Verifier } from "../client/verify.ts";
import type { ClavisError } from "../errors/clavis-error.ts";
import { checkQuery, isConcretePermission, type PermissionQuery } from "../rules/index.ts";
import type { ApiKey } from "./api-key.ts";
import type { OutcomeName } from "./refusal.ts";

/** What every guard takes, whatever the framework. */
export interface GuardOptions {
  /** The client that asks; its token needs `clavis.verify` for the keyspace. */
  readonly clavis: Pick<Verifier, "verify">;
  /** The keyspace that keys must belong to. */
  readonly keyspaceId: string;
  /** The permissions that every request needs, all of them, without wildcards. Default: none. */
  readonly permissions?: readonly string[] | undefined;
  /** A condition on permissions besides, such as `{ anyOf: [...] }`. Default: none. */
  readonly query?: PermissionQuery | undefined;
  /** The header that keys come in. Default: `authorization`, as `Bearer <secret>`; any other has the secret alone. */
  readonly header?: string | undefined;
  /** What is guarded, for `WWW-Authenticate`. Default `api`. */
  readonly realm?: string | undefined;
}

/** What became of a key that a request presented, for logs and metrics. */
export interface GuardVerdict {
  readonly admitted: boolean;
  /** What was decided; undefined if that could not be told. */
  readonly outcome: OutcomeName | undefined;
  /** The key, refused ones included; undefined if it is not known. */
  readonly apiKey: ApiKey | undefined;
  /** Why it could not be told. */
  readonly error: ClavisError | undefined;
}

const KEYSPACE_ID = /^ks_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** The most that one Verify takes. */
const PERMISSIONS_MAX = 64;

/** A field name (RFC 9110, section 5.1). */
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** What may stand in quotes without an escape. */
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

/** What is wrong with `options`, for `refuseProblems`. */
export function problemsOfGuard(options: GuardOptions): string[] {
  const { clavis, keyspaceId, permissions = [], query, header = "authorization", realm = "api" } = options;
  const fault = query && checkQuery(query);
  return [
    ...(typeof clavis?.verify === "function" ? [] : ["clavis: expected a client, as createClavis gives it"]),
    ...(KEYSPACE_ID.test(keyspaceId) ? [] : ["keyspaceId: expected the id of a keyspace, ks_..."]),
    ...problemsOfPermissions(permissions),
    ...(permissions.length <= PERMISSIONS_MAX ? [] : [`permissions: expected at most ${PERMISSIONS_MAX}`]),
    ...(fault === undefined ? [] : [`query: ${[fault.path, fault.problem].filter(Boolean).join(": ")}`]),
    ...(HEADER.test(header) ? [] : ["header: expected the name of a header"]),
    ...(REALM.test(realm) ? [] : ["realm: expected printable ASCII characters without quotes and backslashes"]),
  ];
}

/** What is wrong with permissions that are to be needed. */
export function problemsOfPermissions(permissions: readonly string[]): string[] {
  return permissions
    .filter((permission) => !isConcretePermission(permission))
    .map((permission) => `permissions: ${JSON.stringify(permission)} is no permission without a wildcard`);
}
