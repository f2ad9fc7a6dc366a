import { timingSafeEqual } from "node:crypto";
import { decide, parseAddress, shapeOf, type VerifyRecord } from "@clavis/sdk/rules";
import { DomainError } from "../errors.ts";
import { digestOf, type Secret } from "../secret.ts";
import { type Soon, soonThen } from "../soon.ts";
import type { Clock } from "../time.ts";
import type { KnownSecret } from "../verify/known-secret.ts";
import type { RecordSource } from "../verify/record-source.ts";
import type { Principal } from "./principal.ts";
import { type Rights, rightsOf, unlimitedRights } from "./rights.ts";

/** Who calls, and what it may do at that moment. */
export interface Authenticated {
  readonly principal: Principal;
  readonly rights: Rights;
}

/** What a call presents. */
export interface Credential {
  readonly secret: Secret;
  /** The address that the call came from; empty if that is not known. */
  readonly address: string;
}

/**
 * Finds out who calls. Each throws CREDENTIAL_REJECTED, whatever is wrong with the credential, and STORE_UNAVAILABLE where it
 * could not tell.
 */
export interface Authenticator {
  /** A management key that may be used from there now, or the operator. */
  caller(credential: Credential): Soon<Authenticated>;
  /** The same for who verifies: also in a suspended tenant, whose callers are to hear just that of their customers' keys. */
  verifier(credential: Credential): Soon<Authenticated>;
  /** The bearer of any secret that Verify would call valid. Asks Postgres itself, as `finder` does. */
  bearer(credential: Credential): Promise<Authenticated>;
  /** The bearer of any secret that is its key's, or may be again: enough to end the key. Not of one that was rotated away. */
  finder(credential: Credential): Promise<Authenticated>;
}

export function createAuthenticator(parts: {
  source: RecordSource;
  clock: Clock;
  /** The operator's credentials; several while one takes over from another. */
  operatorSecrets: readonly Secret[];
}): Authenticator {
  const { source, clock, operatorSecrets } = parts;
  const operatorDigests = operatorSecrets.map((secret) => Buffer.from(digestOf(secret)));
  /** By what is known of their keys, for as long as that is cached: whatever does not depend on the moment or the call. */
  const candidates = new WeakMap<KnownSecret, Candidate>();

  return {
    caller: (credential) => callerBy("asCaller", credential),
    verifier: (credential) => callerBy("asVerifier", credential),

    async bearer(credential) {
      const known = (await findAll(credential)).find(({ record }) => isValid(asCustomer(record), credential));
      if (known === undefined) throw rejected();
      return { principal: { type: "key", ...idsOf(known) }, rights: noRights };
    },

    async finder(credential) {
      // A secret that was rotated away is worth nothing any more, so whoever kept it must not end the key that goes on without it.
      const usable = (await findAll(credential)).filter(({ record }) => !isStopped(record));
      const known = usable.find(({ record }) => record.revokeTime === null) ?? usable[0];
      if (known === undefined) throw rejected();
      return { principal: { type: "key", ...idsOf(known) }, rights: noRights };
    },
  };

  function callerBy(seen: "asCaller" | "asVerifier", credential: Credential): Soon<Authenticated> {
    const digest = digestOf(credential.secret);
    if (isOperator(digest)) return { principal: { type: "operator" }, rights: unlimitedRights };
    // Management keys are never imported, so what has another shape is none, and costs no look-up.
    if (shapeOf(credential.secret.reveal()) !== "clavis") throw rejected();
    const found = source.find({ digest, isMeant: isManagementKey, payer: credential.address });
    return soonThen(found, ({ known }) => {
      const candidate = known && candidateOf(known);
      if (candidate === undefined || !isValid(candidate[seen], credential)) throw rejected();
      return candidate.authenticated;
    });
  }

  function isOperator(digest: string): boolean {
    if (operatorDigests.length === 0) return false;
    const bytes = Buffer.from(digest);
    return operatorDigests.some((known) => timingSafeEqual(known, bytes));
  }

  function candidateOf(known: KnownSecret): Candidate {
    const met = candidates.get(known);
    if (met !== undefined) return met;
    const asCaller = asCustomer(known.record);
    const candidate: Candidate = {
      asCaller,
      asVerifier: { ...asCaller, tenantSuspended: false },
      authenticated: { principal: { type: "management_key", ...idsOf(known) }, rights: managementRights(known) },
    };
    candidates.set(known, candidate);
    return candidate;
  }

  /** Two tenants may have imported one digest; then the one that made the secret here comes first, or else the elder key. */
  async function findAll({ secret }: Credential): Promise<readonly KnownSecret[]> {
    if (shapeOf(secret.reveal()) === "malformed") return [];
    const known = await source.read(digestOf(secret));
    return known.toSorted((one, other) => Number(one.imported) - Number(other.imported));
  }

  function isStopped({ secretStopTime }: VerifyRecord): boolean {
    return secretStopTime !== null && clock() >= secretStopTime;
  }

  function isValid(record: VerifyRecord, { address }: Credential): boolean {
    const { tenantId, keyspaceId, allowedAddresses } = record;
    // Asked for by few keys, and parsed for these alone.
    const clientIp = allowedAddresses.length === 0 ? undefined : parseAddress(address);
    const request = { tenantId, keyspaceId, clientIp, permissions: [] };
    return decide(record, request, clock()).outcome === "valid";
  }
}

/** A management key that calls, unless it may not now or from there. */
interface Candidate {
  /** What is decided on, where it does anything but verify, and where it verifies. */
  readonly asCaller: VerifyRecord;
  readonly asVerifier: VerifyRecord;
  readonly authenticated: Authenticated;
}

/** `decide` hides management keys from verifiers; here they are what is looked for. */
function asCustomer(record: VerifyRecord): VerifyRecord {
  return { ...record, management: false };
}

const noRights: Rights = rightsOf({ permissions: [], keyspaceIds: [], addresses: [], expireTime: null });

function managementRights({ record, facts, allowedKeyspaceIds }: KnownSecret): Rights {
  return {
    permissions: facts.permissions,
    held: record.permissions,
    keyspaceIds: allowedKeyspaceIds,
    addresses: record.allowedAddresses,
    expireTime: record.expireTime,
  };
}

function isManagementKey({ record }: KnownSecret): boolean {
  return record.management;
}

function idsOf({ record: { tenantId, keyId } }: KnownSecret): { tenantId: string; keyId: string } {
  return { tenantId, keyId };
}

function rejected(): DomainError {
  return new DomainError({ reason: "CREDENTIAL_REJECTED" });
}
