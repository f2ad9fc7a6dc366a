export { type Address, canonicalAddress, parseAddress } from "./address.ts";
export type { RandomBytes } from "./base62.ts";
export { type Cidr, type CidrResult, canonicalCidr, cidrContains, cidrWithin, parseCidr } from "./cidr.ts";
export { type DecideRequest, decide, type Verdict, type VerifyRecord } from "./decide.ts";
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
  type PermissionQuery,
  QUERY_DEPTH_MAX,
  QUERY_TERMS_MAX,
  type QueryFault,
} from "./query.ts";
export {
  bodyFrom,
  formatSecret,
  isPrefix,
  maskSecret,
  prefixOf,
  SECRET_LENGTH_MAX,
  type SecretShape,
  shapeOf,
} from "./secret.ts";
