import {
  checkQuery,
  decide,
  isConcretePermission,
  type PermissionQuery,
  parseAddress,
  shapeOf,
  type Verdict,
} from "@clavis/sdk/rules";
import { tenantIdOf } from "../access/principal.ts";
import { need, type Rights, seesKeyspace } from "../access/rights.ts";
import type { Call } from "../call.ts";
import { DomainError, invalidField } from "../errors.ts";
import { digestOf, type Secret } from "../secret.ts";
import type { Clock, UnixMs } from "../time.ts";
import type { KnownSecret, RecordSource } from "./record-source.ts";

export interface VerifyRequest {
  readonly secret: Secret;
  readonly keyspaceId: string;
  /** All of these are needed. */
  readonly permissions: readonly string[];
  /** Needed as well. */
  readonly query: PermissionQuery | undefined;
  /** Empty where the caller does not know it. */
  readonly clientIp: string;
}

/** A verdict, and what it is about where the caller may know that. */
export interface VerifyAnswer extends Verdict {
  readonly known: KnownSecret | undefined;
}

/** Decides on secrets. A refusal is an answer; what is thrown means that nobody could tell. */
export interface VerifyService {
  verify(call: Call, request: VerifyRequest): Promise<VerifyAnswer>;
  /** In the order asked for. What an item alone would have thrown is that item's answer. */
  verifyBatch(call: Call, requests: readonly VerifyRequest[]): Promise<readonly (VerifyAnswer | DomainError)[]>;
}

export function createVerifyService({ source, clock }: { source: RecordSource; clock: Clock }): VerifyService {
  return {
    async verify(call, request) {
      const problem = problemOf(call.rights, request);
      if (problem !== undefined) throw problem;
      const knownBy = await lookUp(call, [request.secret]);
      return answer(call, request, knownBy(request.secret), clock());
    },

    async verifyBatch(call, requests) {
      const problems = requests.map((request) => problemOf(call.rights, request));
      const sound = requests.filter((_, index) => problems[index] === undefined);
      const knownBy = await lookUp(
        call,
        sound.map(({ secret }) => secret),
      );
      const now = clock();
      return requests.map((request, index) => problems[index] ?? answer(call, request, knownBy(request.secret), now));
    },
  };

  /** One read for all secrets that may exist at all; junk costs nothing. */
  async function lookUp(call: Call, secrets: readonly Secret[]): Promise<(secret: Secret) => KnownSecret | undefined> {
    const digests = new Set(secrets.filter(mayExist).map(digestOf));
    if (digests.size === 0) return () => undefined;
    const wanted = [...digests];
    const found = await source.find(wanted, call.signal, tenantIdOf(call.principal));
    const byDigest = new Map(wanted.map((digest, index) => [digest, found[index]?.[0]]));
    return (secret) => byDigest.get(digestOf(secret));
  }
}

function answer(
  { principal, rights }: Call,
  request: VerifyRequest,
  known: KnownSecret | undefined,
  now: UnixMs,
): VerifyAnswer {
  if (!mayExist(request.secret)) return { outcome: "malformed", missingPermissions: [], known: undefined };
  // Of keyspaces out of the caller's sight not even their existence is told.
  const seen =
    known !== undefined && seesKeyspace(rights, { id: known.record.keyspaceId, management: false }) ? known : undefined;
  const { permissions, query, keyspaceId } = request;
  const clientIp = parseAddress(request.clientIp);
  const verdict = decide(
    seen?.record,
    { tenantId: tenantIdOf(principal), keyspaceId, clientIp, permissions, query },
    now,
  );
  const untold = verdict.outcome === "not_found" || verdict.outcome === "wrong_keyspace";
  return { ...verdict, known: untold ? undefined : seen };
}

function mayExist(secret: Secret): boolean {
  return shapeOf(secret.reveal()) !== "malformed";
}

/** Why nothing can be decided for this request, in the way that Verify fails with. */
function problemOf(rights: Rights, request: VerifyRequest): DomainError | undefined {
  try {
    need(rights, "clavis.verify");
    if (!seesKeyspace(rights, { id: request.keyspaceId, management: false })) {
      throw new DomainError({ reason: "KEYSPACE_NOT_FOUND", keyspaceId: request.keyspaceId });
    }
    checkPermissions(request);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

function checkPermissions({ permissions, query }: VerifyRequest): void {
  permissions.forEach((permission, index) => {
    if (!isConcretePermission(permission))
      throw invalidField(`permissions[${index}]`, "is no permission; wildcards cannot be asked for");
  });
  const fault = query === undefined ? undefined : checkQuery(query);
  if (fault !== undefined) throw invalidField(`query${fault.path}`, fault.problem);
}
