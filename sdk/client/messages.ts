// The messages of the contract that callers meet, with their descriptors (`toJson(KeySchema, key)`) and enums.

// How times and spans of a response become what JavaScript has for them.
export { type Duration, durationMs, type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
export { type Actor, type Event, EventSchema, type Snapshot, type Target } from "../gen/clavis/v1/audit_pb.ts";
export {
  type Key,
  KeySchema,
  KeyState,
  KeyStateSchema,
  type Revocation,
  RevokeReason,
  RevokeReasonSchema,
  type Rotation,
} from "../gen/clavis/v1/key_pb.ts";
export type {
  BatchRevokeKeysResponse,
  CompleteRotationResponse,
  CreatedKey,
  CreateKeyResponse,
  DeleteKeyResponse,
  DisableKeyResponse,
  EnableKeyResponse,
  GetKeyResponse,
  ImportKeysResponse,
  RevokeKeyResponse,
  RotateKeyResponse,
  UpdateKeyResponse,
} from "../gen/clavis/v1/key_service_pb.ts";
export { type Keyspace, KeyspaceSchema, RevocationMode, RevocationModeSchema } from "../gen/clavis/v1/keyspace_pb.ts";
export type {
  CreateKeyspaceResponse,
  DeleteKeyspaceResponse,
  GetKeyspaceResponse,
  UpdateKeyspaceResponse,
} from "../gen/clavis/v1/keyspace_service_pb.ts";
export type { GetSelfResponse, RevokeSelfResponse } from "../gen/clavis/v1/self_service_pb.ts";
export { type Tenant, TenantSchema } from "../gen/clavis/v1/tenant_pb.ts";
export type {
  CreateManagementKeyResponse,
  CreateTenantResponse,
  GetTenantResponse,
  UpdateTenantResponse,
} from "../gen/clavis/v1/tenant_service_pb.ts";
export {
  Outcome,
  OutcomeSchema,
  type VerifiedKey,
  type VerifyResponse,
  VerifyResponseSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
