import type { DescMethod } from "@bufbuild/protobuf";
import type { Authenticated, Authenticator, Credential } from "../access/authenticator.ts";
import { ALL_PERMISSIONS } from "../access/permissions.ts";
import { DomainError } from "../errors.ts";
import { AuditService } from "../gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import { Secret } from "../secret.ts";
import { type Soon, soonThen } from "../soon.ts";

/** Lets a caller in, or throws CREDENTIAL_REJECTED, PERMISSION_MISSING or STORE_UNAVAILABLE. */
export type Admit = (authenticator: Authenticator, credential: Credential) => Soon<Authenticated>;

/** Who may call a method; undefined for health and reflection, which are for everybody. */
export function admissionTo(method: DescMethod): Admit | undefined {
  const { typeName } = method.parent;
  return typeName === SelfService.typeName ? selfRules[method.name] : callerRules[typeName];
}

/** The secret in an `authorization` header. Throws CREDENTIAL_REJECTED if there is none. */
export function bearerOf(authorization: string | null | undefined): Secret {
  const secret = BEARER.exec(authorization ?? "")?.[1];
  if (secret === undefined) throw new DomainError({ reason: "CREDENTIAL_REJECTED" });
  return new Secret(secret);
}

/** What is kept of a `user-agent` header. */
export function userAgentOf(header: string | null | undefined): string {
  return (header ?? "").slice(0, USER_AGENT_LENGTH_MAX);
}

const callerRules: Readonly<Record<string, Admit>> = {
  [TenantService.typeName]: operatorOnly,
  [KeyspaceService.typeName]: managementKeyOnly,
  [KeyService.typeName]: managementKeyOnly,
  [AuditService.typeName]: managementKeyOnly,
  [VerifyService.typeName]: (authenticator, credential) => soonThen(authenticator.verifier(credential), noOperator),
};

const selfRules: Readonly<Record<string, Admit>> = {
  [SelfService.method.getSelf.name]: (authenticator, credential) => authenticator.bearer(credential),
  [SelfService.method.revokeSelf.name]: (authenticator, credential) => authenticator.finder(credential),
};

const USER_AGENT_LENGTH_MAX = 256;

/** RFC 6750, section 2.1. */
const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

function operatorOnly(...[authenticator, credential]: Parameters<Admit>): Soon<Authenticated> {
  return soonThen(authenticator.caller(credential), (caller) => {
    if (caller.principal.type !== "operator")
      throw new DomainError({ reason: "PERMISSION_MISSING", permission: "operator" });
    return caller;
  });
}

function managementKeyOnly(...[authenticator, credential]: Parameters<Admit>): Soon<Authenticated> {
  return soonThen(authenticator.caller(credential), noOperator);
}

/** The operator stands above tenants, and has none to act in. */
function noOperator(caller: Authenticated): Authenticated {
  if (caller.principal.type === "operator")
    throw new DomainError({ reason: "PERMISSION_MISSING", permission: ALL_PERMISSIONS });
  return caller;
}
