import { Code, ConnectError, type Interceptor, type StreamResponse, type UnaryResponse } from "@connectrpc/connect";
import type { Authenticated, Authenticator } from "../access/authenticator.ts";
import { ALL_PERMISSIONS } from "../access/permissions.ts";
import { DomainError, failedWith } from "../errors.ts";
import { AuditService } from "../gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { Secret } from "../secret.ts";
import { arrivalKey, callKey } from "./call-context.ts";
import { toConnectError } from "./errors.ts";
import type { RequestCheck } from "./request-check.ts";

/** The header that names a call in answers, logs and audit events. */
export const CALL_ID_HEADER = "clavis-call-id";

type Response = UnaryResponse | StreamResponse;

/**
 * Outermost: names the call, turns what is thrown into a status, logs and counts. A failed stream fails while it is read, after
 * `next` has returned; so its messages are watched as well.
 */
export function observe({ log, metrics, seconds }: { log: Log; metrics: Metrics; seconds: () => number }): Interceptor {
  return (next) => async (req) => {
    const { callId } = req.contextValues.get(arrivalKey);
    const method = `${req.service.typeName}/${req.method.name}`;
    const start = seconds();

    function fail(error: unknown): ConnectError {
      const answer = statusOf(error);
      answer.metadata.set(CALL_ID_HEADER, callId);
      settle(Code[answer.code] ?? "Unknown", error);
      return answer;
    }
    function settle(code: string, error?: unknown): void {
      const duration = seconds() - start;
      metrics.call(method, snake(code), duration);
      const call = req.contextValues.get(callKey);
      const principal = call?.principal;
      const facts = { callId, method, code: snake(code), ms: Math.round(duration * 1e6) / 1e3, principal };
      if (isBug(error)) log.error({ ...facts, error }, "call failed");
      else if (failedWith(error, "STORE_UNAVAILABLE")) log.warn({ ...facts, error }, "postgres is away");
      else log.debug(facts, "call");
    }

    let response: Response;
    try {
      response = await next(req);
    } catch (error) {
      throw fail(error);
    }
    response.header.set(CALL_ID_HEADER, callId);
    if (!response.stream) {
      settle("Ok");
      return response;
    }
    return { ...response, message: watched(response.message, () => settle("Ok"), fail) };
  };
}

/** Finds out who calls, and lets each service be called by those whom it is for. */
export function authenticate(authenticator: Authenticator): Interceptor {
  return (next) => async (req) => {
    const admit =
      req.service.typeName === SelfService.typeName ? selfRules[req.method.name] : callerRules[req.service.typeName];
    // Health and reflection are for everybody.
    if (admit === undefined) return next(req);

    const { callId, address } = req.contextValues.get(arrivalKey);
    const secret = bearerOf(req.header);
    const { principal, rights } = await admit(authenticator, { secret, address });
    const userAgent = (req.header.get("user-agent") ?? "").slice(0, USER_AGENT_LENGTH_MAX);
    req.contextValues.set(callKey, { id: callId, principal, rights, address, userAgent, signal: req.signal });
    return next(req);
  };
}

/** Holds requests to the contract. */
export function validate(check: RequestCheck): Interceptor {
  return (next) => async (req) => {
    if (!req.stream) {
      const problem = check(req.method.input, req.message);
      if (problem !== undefined) throw problem;
    }
    return next(req);
  };
}

type Admit = (
  authenticator: Authenticator,
  credential: Parameters<Authenticator["caller"]>[0],
) => Promise<Authenticated>;

const callerRules: Readonly<Record<string, Admit>> = {
  [TenantService.typeName]: operatorOnly,
  [KeyspaceService.typeName]: managementKeyOnly,
  [KeyService.typeName]: managementKeyOnly,
  [VerifyService.typeName]: managementKeyOnly,
  [AuditService.typeName]: managementKeyOnly,
};

const selfRules: Readonly<Record<string, Admit>> = {
  [SelfService.method.getSelf.name]: (authenticator, credential) => authenticator.bearer(credential),
  [SelfService.method.revokeSelf.name]: (authenticator, credential) => authenticator.finder(credential),
};

const USER_AGENT_LENGTH_MAX = 256;

/** RFC 6750, section 2.1. */
const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

async function operatorOnly(...[authenticator, credential]: Parameters<Admit>): Promise<Authenticated> {
  const caller = await authenticator.caller(credential);
  if (caller.principal.type !== "operator")
    throw new DomainError({ reason: "PERMISSION_MISSING", permission: "operator" });
  return caller;
}

async function managementKeyOnly(...[authenticator, credential]: Parameters<Admit>): Promise<Authenticated> {
  const caller = await authenticator.caller(credential);
  if (caller.principal.type === "operator")
    throw new DomainError({ reason: "PERMISSION_MISSING", permission: ALL_PERMISSIONS });
  return caller;
}

function bearerOf(header: Headers): Secret {
  const secret = BEARER.exec(header.get("authorization") ?? "")?.[1];
  if (secret === undefined) throw new DomainError({ reason: "CREDENTIAL_REJECTED" });
  return new Secret(secret);
}

function statusOf(error: unknown): ConnectError {
  if (error instanceof DomainError) return toConnectError(error);
  if (error instanceof ConnectError) return error;
  return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

/** What nobody foresaw, as opposed to what callers may do wrong and what the machinery reports of them. */
function isBug(error: unknown): boolean {
  if (error === undefined || error instanceof DomainError) return false;
  return !(error instanceof ConnectError) || error.code === Code.Internal;
}

async function* watched<T>(
  messages: AsyncIterable<T>,
  done: () => void,
  fail: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
    done();
  } catch (error) {
    throw fail(error);
  }
}

function snake(name: string): string {
  return name.replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
