export { canonicalAddress, parseAddress, type Address } from "./address.ts";
export { canonicalCidr, cidrContains, cidrWithin, parseCidr, type Cidr, type CidrResult } from "./cidr.ts";
export { decide, type DecideRequest, type Verdict, type VerifyRecord } from "./decide.ts";
export { deriveKeyState, type KeyFacts, type KeyState } from "./key-state.ts";
export { isDenial, OUTCOMES, type Outcome } from "./outcome.ts";
export {
  compilePermissions,
  grants,
  isConcretePermission,
  isPermission,
  missingPermissions,
  PERMISSION_LENGTH_MAX,
  PERMISSION_SEGMENTS_MAX,
  type PermissionSet,
} from "./permission.ts";
export {
  checkQuery,
  missingFor,
  QUERY_DEPTH_MAX,
  QUERY_TERMS_MAX,
  type PermissionQuery,
  type QueryFault,
} from "./query.ts";
export {
  bodyFrom,
  formatSecret,
  isPrefix,
  maskSecret,
  prefixOf,
  SECRET_LENGTH_MAX,
  shapeOf,
  type SecretShape,
} from "./secret.ts";
export type { RandomBytes } from "./base62.ts";
