import { refuseProblems } from "../client/options.ts";
import type { Verifier } from "../client/verify.ts";
import { ClavisError } from "../errors/clavis-error.ts";
import { canonicalAddress, compilePermissions, missingFor, missingPermissions, parseAddress } from "../rules/index.ts";
import { type ApiKey, apiKeyFrom } from "./api-key.ts";
import { credentialFrom } from "./credential.ts";
import { type GuardOptions, type GuardVerdict, problemsOfGuard, problemsOfPermissions } from "./options.ts";
import { type OutcomeName, outcomeName, type Refusal, refusalFor } from "./refusal.ts";
import { type Challenge, type GuardResponse, responseFor } from "./response.ts";

/** What a framework tells of a request. */
export interface Presented {
  /** The request itself, by which its guards find what the first of them learnt. */
  readonly request: object;
  /** The values of the guard's header, one for each time that the request has it. */
  readonly values: readonly string[];
  /** The address that the request came from, if that is known for certain. */
  readonly clientIp: string | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What is to become of a request, and for what was asked of its key. */
export type Decision = (
  | { readonly admitted: true; readonly apiKey: ApiKey }
  | { readonly admitted: false; readonly response: GuardResponse }
) & {
  /** Undefined if no key was presented. */
  readonly verdict: GuardVerdict | undefined;
};

/** Decides on requests, in no framework's terms. */
export interface Guard {
  /** The name of the header whose values it wants, in lower case. */
  readonly header: string;
  check(presented: Presented): Promise<Decision>;
}

interface Verified {
  readonly verifier: Pick<Verifier, "verify">;
  readonly secret: string;
  readonly apiKey: ApiKey;
  readonly challenge: Challenge;
}

/** What guards have learnt of a request. Goes when the request does. */
const verifiedRequests = new WeakMap<object, Verified>();

/**
 * A guard that admits requests with a key of its keyspace that may do what is asked. A request is verified once, however
 * many guards it passes: the later ones decide from what the first has learnt.
 *
 * @throws TypeError naming everything that is wrong with the options
 */
export function createGuard(options: GuardOptions): Guard {
  refuseProblems("requireApiKey", problemsOfGuard(options));
  const { clavis, keyspaceId, permissions = [], query, realm = "api" } = options;
  const header = (options.header ?? "authorization").toLowerCase();
  const challenge: Challenge = { header, realm };

  function refused(refusal: Refusal, verdict?: GuardVerdict): Decision {
    return { admitted: false, response: responseFor(refusal, challenge), verdict };
  }

  async function verify(secret: string, { request, clientIp, signal }: Presented): Promise<Decision> {
    const address = clientIp === undefined ? undefined : parseAddress(clientIp);
    const answer = await clavis.verify(
      { secret, keyspaceId, permissions, query, clientIp: address && canonicalAddress(address) },
      { signal },
    );
    const outcome = outcomeName(answer.outcome);
    const apiKey = answer.key && apiKeyFrom(answer.key, answer);
    const refusal = refusalFor(answer.outcome, answer.missingPermissions);
    if (refusal !== undefined) return refused(refusal, { admitted: false, outcome, apiKey, error: undefined });
    if (apiKey === undefined) throw withoutKey();
    verifiedRequests.set(request, { verifier: clavis, secret, apiKey, challenge });
    return admitted(apiKey, outcome);
  }

  /** What Verify would say of a key that is valid, as far as this guard asks more than the one before. */
  function decideFrom(apiKey: ApiKey): Decision {
    const held = compilePermissions(apiKey.permissions);
    const lacked = missingPermissions(held, permissions);
    const missing = query === undefined ? lacked : [...lacked, ...missingFor(held, query, lacked)];
    if (apiKey.keyspaceId !== keyspaceId) return refusedKey("WRONG_KEYSPACE", { kind: "invalid_key" });
    if (missing.length > 0)
      return refusedKey("INSUFFICIENT_PERMISSIONS", { kind: "insufficient_permissions", missing });
    return admitted(apiKey, "VALID");

    function refusedKey(outcome: OutcomeName, refusal: Refusal): Decision {
      return refused(refusal, { admitted: false, outcome, apiKey, error: undefined });
    }
  }

  return {
    header,
    async check(presented) {
      const credential = credentialFrom(header, presented.values);
      if (credential.kind === "none") return refused({ kind: "missing" });
      if (credential.kind === "unusable") return refused(credential);

      const { secret } = credential;
      const before = verifiedRequests.get(presented.request);
      if (before?.secret === secret && before.verifier === clavis) return decideFrom(before.apiKey);
      try {
        return await verify(secret, presented);
      } catch (error) {
        // Whatever it is, nothing was found wrong with the key.
        const known = error instanceof ClavisError ? error : undefined;
        const verdict = { admitted: false, outcome: undefined, apiKey: undefined, error: known };
        return refused({ kind: "undecided", retryAfterMs: known?.retryAfterMs }, verdict);
      }
    },
  };
}

/**
 * What becomes of `request`, which a guard has admitted, if `permissions` are needed besides: undefined to let it pass.
 *
 * @throws Error if no guard has admitted it, which is a mistake in the order of the routes
 */
export function checkPermissions(request: object, permissions: readonly string[]): GuardResponse | undefined {
  const verified = verifiedRequests.get(request);
  if (verified === undefined) {
    throw new Error("requirePermission: no requireApiKey has admitted this request; put one before it");
  }
  const missing = permissions.filter((permission) => !verified.apiKey.has(permission));
  return missing.length === 0
    ? undefined
    : responseFor({ kind: "insufficient_permissions", missing }, verified.challenge);
}

/**
 * Refuses permissions that no key could be asked for.
 *
 * @throws TypeError naming them
 */
export function refuseBadPermissions(permissions: readonly string[]): void {
  const problems =
    permissions.length === 0 ? ["permissions: expected at least one"] : problemsOfPermissions(permissions);
  refuseProblems("requirePermission", problems);
}

function admitted(apiKey: ApiKey, outcome: OutcomeName): Decision {
  return { admitted: true, apiKey, verdict: { admitted: true, outcome, apiKey, error: undefined } };
}

/** A valid key without facts is no answer to go by: handlers would find nobody to act for. */
function withoutKey(): ClavisError {
  return new ClavisError({
    reason: "UNKNOWN",
    code: "INTERNAL",
    message: "the service left out the key of a valid verdict",
    retryable: false,
  });
}
