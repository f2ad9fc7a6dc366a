import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { Authenticator } from "../access/authenticator.ts";
import type { AuditService } from "../audit/audit-service.ts";
import type { ChangeService } from "../changes/change-service.ts";
import { AuditService as AuditDesc, file_clavis_v1_audit_service } from "../gen/clavis/v1/audit_service_pb.ts";
import { file_clavis_v1_error_reason } from "../gen/clavis/v1/error_reason_pb.ts";
import { file_clavis_v1_key_service, KeyService as KeyDesc } from "../gen/clavis/v1/key_service_pb.ts";
import {
  file_clavis_v1_keyspace_service,
  KeyspaceService as KeyspaceDesc,
} from "../gen/clavis/v1/keyspace_service_pb.ts";
import { file_clavis_v1_self_service, SelfService as SelfDesc } from "../gen/clavis/v1/self_service_pb.ts";
import { file_clavis_v1_tenant_service, TenantService as TenantDesc } from "../gen/clavis/v1/tenant_service_pb.ts";
import { file_clavis_v1_verify_service, VerifyService as VerifyDesc } from "../gen/clavis/v1/verify_service_pb.ts";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";
import { file_grpc_health_v1_health } from "../gen/grpc/health/v1/health_pb.ts";
import { file_grpc_reflection_v1_reflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import type { RequestHandler } from "../http/request-handler.ts";
import type { NewId } from "../ids.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { KeyspaceService } from "../keyspaces/keyspace-service.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { TenantService } from "../tenants/tenant-service.ts";
import type { Clock } from "../time.ts";
import type { VerifyService } from "../verify/verify-service.ts";
import { routeAuditService } from "./audit-service.ts";
import { arrivalKey, observedKey } from "./call-context.ts";
import { CALL_ID_HEADER, type CallObserver, codeName } from "./call-observer.ts";
import { type Readiness, routeHealth } from "./health-service.ts";
import { authenticate, endInTime, observe, validate } from "./interceptors.ts";
import { jsonOptions } from "./json-options.ts";
import { routeKeyService } from "./key-service.ts";
import { routeKeyspaceService } from "./keyspace-service.ts";
import { TIMEOUT_MS_MAX } from "./limits.ts";
import { createNodeAdapter } from "./node-adapter.ts";
import { routeReflection } from "./reflection-service.ts";
import type { RequestCheck } from "./request-check.ts";
import { routeSelfService } from "./self-service.ts";
import { routeTenantService } from "./tenant-service.ts";
import { createVerifyAnswers, routeVerifyService } from "./verify-service.ts";

/** All that answers calls. */
export interface RpcParts {
  readonly authenticator: Authenticator;
  readonly changes: ChangeService;
  readonly keyspaces: KeyspaceService;
  readonly keys: KeyService;
  readonly tenants: TenantService;
  readonly verify: VerifyService;
  readonly audit: AuditService;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly check: RequestCheck;
  readonly observer: CallObserver;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  /** The address that a request came from, as far as it can be trusted. */
  readonly addressOf: (req: IncomingMessage | Http2ServerRequest) => string;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** One key with all that it may have fits; services whose requests are smaller or larger say so themselves. */
const READ_BYTES_MAX = 64 * KIB;

/** The largest answer is such a batch with its secrets. */
const WRITE_BYTES_MAX = 32 * MIB;

const files = [
  file_clavis_v1_keyspace_service,
  file_clavis_v1_key_service,
  file_clavis_v1_verify_service,
  file_clavis_v1_self_service,
  file_clavis_v1_tenant_service,
  file_clavis_v1_audit_service,
  file_clavis_v1_error_reason,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_google_rpc_error_details,
];

const services = [KeyspaceDesc, KeyDesc, VerifyDesc, SelfDesc, TenantDesc, AuditDesc].map(({ typeName }) => typeName);

/** Answers gRPC, gRPC-Web and Connect over HTTP/1.1 and HTTP/2. */
export function createRpcHandler(parts: RpcParts): RequestHandler {
  const router = createConnectRouter({
    readMaxBytes: READ_BYTES_MAX,
    writeMaxBytes: WRITE_BYTES_MAX,
    maxTimeoutMs: TIMEOUT_MS_MAX,
    // Compressed requests are small on disk and large in memory; nothing that is asked here needs them.
    acceptCompression: [],
    jsonOptions,
    interceptors: [observe(parts.observer), endInTime(), authenticate(parts.authenticator), validate(parts.check)],
  });
  routeKeyspaceService(router, parts);
  routeKeyService(router, parts);
  routeVerifyService(router, createVerifyAnswers(parts));
  routeSelfService(router, parts);
  routeTenantService(router, parts);
  routeAuditService(router, parts.audit);
  routeHealth(router, parts.readiness, services);
  routeReflection(router, files);

  return createNodeAdapter({
    router,
    contextValues: (req) =>
      createContextValues().set(arrivalKey, { callId: randomUUID(), address: parts.addressOf(req) }),
    isObserved: (values) => values.get(observedKey),
    onUnobserved(method, code, values, header) {
      const { callId } = values.get(arrivalKey);
      const name = codeName(code);
      header.set(CALL_ID_HEADER, callId);
      parts.metrics.call(method, name, 0);
      parts.log.debug({ callId, method, code: name }, "call not read");
    },
  });
}
