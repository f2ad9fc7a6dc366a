import {
  checkQuery,
  decide,
  isConcretePermission,
  type PermissionQuery,
  parseAddress,
  type QueryFault,
  shapeOf,
  type Verdict,
} from "@clavis/sdk/rules";
import { principalId, tenantIdOf } from "../access/principal.ts";
import { need, type Rights, seesKeyspace } from "../access/rights.ts";
import type { Call } from "../call.ts";
import { DomainError, invalidField } from "../errors.ts";
import { digestOf, type Secret } from "../secret.ts";
import { type Soon, soonThen } from "../soon.ts";
import type { Clock } from "../time.ts";
import type { KnownSecret } from "./known-secret.ts";
import type { Found, RecordSource } from "./record-source.ts";

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
  /** Whether it rests on what was known up to a minute ago, as Postgres does not answer. */
  readonly degraded: boolean;
}

/** Decides on secrets. A refusal is an answer; what is thrown means that nobody could tell. */
export interface VerifyService {
  verify(call: Call, request: VerifyRequest): Soon<VerifyAnswer>;
  /** In the order asked for. What an item alone would have thrown is that item's answer. */
  verifyBatch(call: Call, requests: readonly VerifyRequest[]): Soon<readonly (VerifyAnswer | DomainError)[]>;
}

export function createVerifyService({ source, clock }: { source: RecordSource; clock: Clock }): VerifyService {
  return {
    verify(call, request) {
      const problem = problemOf(call.rights, request);
      if (problem !== undefined) throw problem;
      return decideOn(call, request);
    },

    verifyBatch(call, requests) {
      const answers = requests.map((request) => problemOf(call.rights, request) ?? decideInBatch(call, request));
      return answers.every(isSettled) ? answers : Promise.all(answers.map(async (answer) => answer));
    },
  };

  function decideInBatch(call: Call, request: VerifyRequest): Soon<Settled> {
    try {
      const answer = decideOn(call, request);
      return answer instanceof Promise ? answer.catch(toItem) : answer;
    } catch (error) {
      return toItem(error);
    }
  }

  function decideOn(call: Call, request: VerifyRequest): Soon<VerifyAnswer> {
    // Junk ends here: no I/O.
    if (shapeOf(request.secret.reveal()) === "malformed") return malformed;
    const tenantId = tenantIdOf(call.principal);
    const found = source.find({
      digest: digestOf(request.secret),
      isMeant: ({ record }) => record.tenantId === tenantId,
      payer: principalId(call.principal),
    });
    return soonThen(found, (one) => answer(call, request, one));
  }

  function answer({ principal, rights }: Call, request: VerifyRequest, { known, degraded }: Found): VerifyAnswer {
    const { keyspaceId, permissions, query, clientIp } = request;
    // Of keyspaces out of the caller's sight not even their existence is told.
    const isSeen = known !== undefined && seesKeyspace(rights, { id: known.record.keyspaceId, management: false });
    const seen = isSeen ? known : undefined;
    // Asked for by few keys, and parsed for these alone.
    const isBound = seen !== undefined && seen.record.allowedAddresses.length > 0;
    const address = isBound ? parseAddress(clientIp) : undefined;
    const asked = { tenantId: tenantIdOf(principal), keyspaceId, clientIp: address, permissions, query };
    const { outcome, missingPermissions } = decide(seen?.record, asked, clock());
    const untold = outcome === "not_found" || outcome === "wrong_keyspace";
    return { outcome, missingPermissions, known: untold ? undefined : seen, degraded };
  }
}

type Settled = VerifyAnswer | DomainError;

const malformed: VerifyAnswer = { outcome: "malformed", missingPermissions: [], known: undefined, degraded: false };

function isSettled(answer: Soon<Settled>): answer is Settled {
  return !(answer instanceof Promise);
}

function toItem(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  throw error;
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
  if (fault !== undefined) throw invalidField(queryPath(fault), fault.problem);
}

/** Where a fault is, in the contract's words: `query.all_of.queries[1].permission`. */
function queryPath({ path }: QueryFault): string {
  const steps = path.replaceAll(/\b(all|any)Of\b/g, "$1_of.queries");
  return steps === "" ? "query" : `query.${steps}`;
}
