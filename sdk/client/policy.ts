import type { DescMethod } from "@bufbuild/protobuf";
import { AuditService } from "../gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";

/**
 * What a call is, as far as making it twice is concerned:
 *
 * - `read`: changes nothing.
 * - `verify`: spends nothing in this version, and somebody is waiting for it.
 * - `once`: a change that the service makes once per `request_id`, which each attempt repeats.
 * - `idempotent`: a change after which a second one changes nothing.
 */
export type CallKind = "read" | "verify" | "once" | "idempotent";

/** How calls of a kind are made. */
export interface CallPolicy {
  /** Which of the two default timeouts holds. */
  readonly timeout: "management" | "verify";
  /** Whether a second attempt does no harm when nobody knows what became of the first. */
  readonly repeatable: boolean;
  /** Whether the client gives the request an id. */
  readonly requestId: boolean;
}

/**
 * How `method` is called.
 *
 * @throws Error for a method that is not of this contract
 */
export function policyOf(method: DescMethod): CallPolicy {
  const kind = kinds.get(method.parent.typeName)?.[method.localName];
  if (kind === undefined) throw new Error(`${method.parent.typeName}.${method.name} has no policy`);
  return policies[kind];
}

const policies: Record<CallKind, CallPolicy> = {
  read: { timeout: "management", repeatable: true, requestId: false },
  verify: { timeout: "verify", repeatable: true, requestId: false },
  once: { timeout: "management", repeatable: true, requestId: true },
  idempotent: { timeout: "management", repeatable: true, requestId: false },
};

type Kinds<Service extends { method: object }> = Record<keyof Service["method"], CallKind>;

const keyspaceKinds: Kinds<typeof KeyspaceService> = {
  createKeyspace: "once",
  getKeyspace: "read",
  listKeyspaces: "read",
  updateKeyspace: "once",
  deleteKeyspace: "once",
};

const keyKinds: Kinds<typeof KeyService> = {
  createKey: "once",
  batchCreateKeys: "once",
  importKeys: "once",
  getKey: "read",
  listKeys: "read",
  updateKey: "once",
  disableKey: "once",
  enableKey: "once",
  rotateKey: "once",
  completeRotation: "once",
  revokeKey: "once",
  batchRevokeKeys: "once",
  deleteKey: "once",
};

const verifyKinds: Kinds<typeof VerifyService> = { verify: "verify", batchVerify: "verify" };

const selfKinds: Kinds<typeof SelfService> = { getSelf: "read", revokeSelf: "idempotent" };

const tenantKinds: Kinds<typeof TenantService> = {
  createTenant: "once",
  getTenant: "read",
  listTenants: "read",
  updateTenant: "once",
  createManagementKey: "once",
};

const auditKinds: Kinds<typeof AuditService> = { listEvents: "read" };

const kinds = new Map<string, Readonly<Record<string, CallKind>>>([
  [KeyspaceService.typeName, keyspaceKinds],
  [KeyService.typeName, keyKinds],
  [VerifyService.typeName, verifyKinds],
  [SelfService.typeName, selfKinds],
  [TenantService.typeName, tenantKinds],
  [AuditService.typeName, auditKinds],
]);
