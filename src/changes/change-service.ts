import { hash } from "node:crypto";
import { canonicalCidr } from "@clavis/sdk/rules";
import { principalId } from "../access/principal.ts";
import { needWithin, type Rights, unlimitedRights } from "../access/rights.ts";
import type { Call } from "../call.ts";
import { type KeyspaceMode, weakestMode } from "../coherence/mode.ts";
import { DomainError } from "../errors.ts";
import { stateOf } from "../keys/key.ts";
import { rightsFrom } from "../keys/key-terms.ts";
import type { Sealer } from "../root-keys.ts";
import type { Clock, UnixMs } from "../time.ts";
import type { Effect, Effects } from "./effect.ts";
import type { ReplayClaim } from "./replay-store.ts";
import type { Transaction, Transactor } from "./transactor.ts";

/** A request that carries a `request_id`, as far as it matters for doing it exactly once. */
export interface ChangeRequest<Answer> {
  /** A UUID in lower case. */
  readonly requestId: string;
  /** SHA-256 of method and request, in hexadecimal digits. */
  readonly fingerprint: string;
  encode(answer: Answer): Uint8Array;
  decode(bytes: Uint8Array): Answer;
}

/** What a change has at hand: its transaction, and what its principal may do, which stays so until the commit. */
export interface Change {
  readonly call: Call;
  readonly tx: Transaction;
  readonly rights: Rights;
  readonly now: UnixMs;
  /** Notes that something which exists already is changed in a keyspace, which is to stay in this mode until the commit. */
  readonly concerns: (keyspace: KeyspaceMode) => void;
}

/** Makes changes: rights looked up anew, exactly once per `request_id`, all in one transaction with the audit events. */
export interface ChangeService {
  /**
   * Runs `work` in `tenantId`, or gives the answer that an earlier request with the same id got. Throws REQUEST_ID_REUSED,
   * ANSWER_LOST where it cannot be opened any more, and GRANT_EXCEEDS_CALLER where the caller has lost rights since that answer.
   * Without a request it is simply run. When it returns, this replica decides by what was changed.
   */
  run<Answer>(
    call: Call,
    tenantId: string,
    request: ChangeRequest<Answer> | undefined,
    work: (change: Change) => Promise<Answer>,
  ): Promise<Answer>;
  /**
   * The same for what takes rights away: it waits for up to `maxWaitMs` until no replica decides by what was before, also where
   * it gives an earlier answer, or finds nothing left to take. `effectiveTime` says from when on that is so.
   */
  take<Answer>(
    call: Call,
    tenantId: string,
    request: ChangeRequest<Answer> | undefined,
    maxWaitMs: number,
    work: (change: Change) => Promise<Answer>,
  ): Promise<{ readonly answer: Answer; readonly effectiveTime: UnixMs }>;
}

/** What a transaction came to. */
interface Done<Answer> {
  readonly answer: Answer;
  /** Undefined where nothing that anyone can have cached was changed. */
  readonly effect: Effect | undefined;
}

export function createChangeService(parts: {
  transactor: Transactor;
  sealer: Sealer;
  effects: Effects;
  clock: Clock;
}): ChangeService {
  const { transactor, sealer, effects, clock } = parts;

  return {
    async run(call, tenantId, request, work) {
      const { answer, effect } = await commit(call, tenantId, request, work);
      if (effect !== undefined) await effects.apply(effect);
      return answer;
    },

    async take(call, tenantId, request, maxWaitMs, work) {
      const { answer, effect } = await commit(call, tenantId, request, work);
      if (effect === undefined) return { answer, effectiveTime: clock() };
      return { answer, effectiveTime: await effects.take(effect, maxWaitMs, call.signal) };
    },
  };

  function commit<Answer>(
    call: Call,
    tenantId: string,
    request: ChangeRequest<Answer> | undefined,
    work: (change: Change) => Promise<Answer>,
  ): Promise<Done<Answer>> {
    return transactor.write(call, tenantId, async (tx) => {
      const now = clock();
      const rights = await confirmRights(call, tx, now);
      const concerned: KeyspaceMode[] = [];
      const change: Change = { call, tx, rights, now, concerns: (keyspace) => void concerned.push(keyspace) };
      const effectOf = async (): Promise<Effect | undefined> =>
        concerned.length === 0 ? undefined : { change: await tx.mark(), mode: weakestMode(concerned) };
      if (request === undefined) {
        const answer = await work(change);
        return { answer, effect: await effectOf() };
      }

      const claim = claimOf(call, request);
      const earlier = await tx.replays.claim(claim);
      if (earlier !== undefined) {
        if (earlier.fingerprint !== request.fingerprint) throw new DomainError({ reason: "REQUEST_ID_REUSED" });
        const sealed = sealer.open("replay", earlier.sealedAnswer, request.requestId);
        if (sealed === undefined) throw new DomainError({ reason: "ANSWER_LOST" });
        const kept = unpackAnswer(sealed);
        needWithin(rights, kept.rights);
        return { answer: request.decode(kept.answer), effect: earlier.effect };
      }
      const answer = await work(change);
      const effect = await effectOf();
      const sealedAnswer = sealer.seal("replay", packAnswer(rights, request.encode(answer)), request.requestId);
      tx.replays.keep(claim, sealedAnswer, effect);
      return { answer, effect };
    });
  }
}

/**
 * What the principal may do, read under a lock that keeps it so until the commit. Without the lock a right taken away meanwhile
 * would still serve: after waiting for a row, READ COMMITTED looks again at that row alone.
 */
async function confirmRights(call: Call, tx: Transaction, now: UnixMs): Promise<Rights> {
  const { principal } = call;
  if (principal.type === "operator" || principal.type === "system") return unlimitedRights;
  const key = await tx.keys.findShared(principal.keyId);
  // A secret's bearer has no rights, only itself to end; that works also while the key is disabled, or a second time.
  if (key !== undefined && principal.type === "key") return rightsFrom({ ...key, permissions: [] });
  const tenant = await tx.tenants.findShared(tx.tenantId);
  if (key === undefined || stateOf(key, now) !== "active" || tenant?.suspended !== false) {
    throw new DomainError({ reason: "CREDENTIAL_REJECTED" });
  }
  return rightsFrom(key);
}

/** An answer, with the rights that it rests on: it is given again only to who still holds all of them. */
function packAnswer({ permissions, keyspaceIds, addresses, expireTime }: Rights, answer: Uint8Array): Uint8Array {
  const packed: PackedAnswer = {
    permissions,
    keyspaceIds,
    addresses: addresses.map(canonicalCidr),
    expireTime,
    answer: Buffer.from(answer).toString("base64"),
  };
  return Buffer.from(JSON.stringify(packed));
}

function unpackAnswer(bytes: Uint8Array): { rights: Rights; answer: Uint8Array } {
  // Sealed by `packAnswer`, and so as it was.
  const packed = JSON.parse(Buffer.from(bytes).toString()) as PackedAnswer;
  const { permissions, keyspaceIds, addresses: allowedAddresses, expireTime } = packed;
  const rights = rightsFrom({ permissions, allowedKeyspaceIds: keyspaceIds, allowedAddresses, expireTime });
  return { rights, answer: Buffer.from(packed.answer, "base64") };
}

interface PackedAnswer extends Pick<Rights, "permissions" | "keyspaceIds" | "expireTime"> {
  readonly addresses: readonly string[];
  readonly answer: string;
}

function claimOf(call: Call, request: Pick<ChangeRequest<unknown>, "requestId" | "fingerprint">): ReplayClaim {
  return {
    principal: `${call.principal.type}:${principalId(call.principal)}`,
    idDigest: hash("sha256", request.requestId, "hex"),
    fingerprint: request.fingerprint,
  };
}
