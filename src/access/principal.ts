import { DomainError } from "../errors.ts";
import { ALL_PERMISSIONS } from "./permissions.ts";

/** Who makes a call. */
export type Principal =
  | { readonly type: "management_key"; readonly tenantId: string; readonly keyId: string }
  | { readonly type: "key"; readonly tenantId: string; readonly keyId: string }
  | { readonly type: "operator" }
  | { readonly type: "system" };

/** The id that goes with it in the audit log and beside its `request_id`s; empty for who has none. */
export function principalId(principal: Principal): string {
  return "keyId" in principal ? principal.keyId : "";
}

/** The tenant that the principal acts in. Throws PERMISSION_MISSING for who stands above all tenants. */
export function tenantIdOf(principal: Principal): string {
  if ("tenantId" in principal) return principal.tenantId;
  throw new DomainError({ reason: "PERMISSION_MISSING", permission: ALL_PERMISSIONS });
}
