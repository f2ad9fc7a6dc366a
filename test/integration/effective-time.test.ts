import { randomUUID } from "node:crypto";
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { RevocationMode, type Span, type Timestamp, timestampMs } from "@clavis/sdk";
import { describe, expect, it, onTestFinished } from "vitest";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../sdk/gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../../sdk/gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../../sdk/gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import { toUuid } from "../../src/postgres/columns.ts";
import { openFrozenReplica } from "../harness/frozen-replica.ts";
import { metricOf } from "../harness/metric-of.ts";
import { openSql } from "../harness/sql.ts";
import { type IssuedKey, setUpHome } from "../harness/tenant-home.ts";

// The service's wall clock stands still, so that a time tells to the millisecond what it was made of.
const { time, service, home } = await setUpHome();
const operator = home.clientFor(service.operatorToken);

const STRICT_MS = 1_050;
const AVAILABLE_MS = 63_000;

/** Longer than any effect takes in a strict keyspace, and shorter than in an available one. */
const LONG: Span = { seconds: 20 };
const NOT_AT_ALL: Span = { seconds: 0 };

interface Answer {
  readonly effectiveTime?: Timestamp | undefined;
}

/** A change of `issued`, which is in a keyspace of its own. */
type Take = (issued: IssuedKey, maxWait: Span) => Promise<Answer>;

/** By their names in the contract. */
const takes: Readonly<Record<string, Take>> = {
  UpdateKey: ({ key }, maxWait) => home.clavis.keys.update(key.id, { permissions: [] }, { maxWait }),
  DisableKey: ({ key }, maxWait) => home.clavis.keys.disable(key.id, { maxWait }),
  RotateKey: ({ key }, maxWait) => home.clavis.keys.rotate(key.id, { maxWait }),
  CompleteRotation: async ({ key }, maxWait) => {
    await home.clavis.keys.rotate(key.id, { overlap: { days: 1 }, maxWait: NOT_AT_ALL });
    return home.clavis.keys.completeRotation(key.id, { maxWait });
  },
  RevokeKey: ({ key }, maxWait) => home.clavis.keys.revoke(key.id, { maxWait }),
  BatchRevokeKeys: ({ key: { keyspaceId } }, maxWait) =>
    home.clavis.keys.batchRevoke({ keyspaceId, filter: {}, maxWait }),
  RevokeSelf: ({ secret }, maxWait) => home.clientFor(secret).self.revoke({ maxWait }),
  UpdateKeyspace: ({ key: { keyspaceId } }, maxWait) =>
    home.clavis.keyspaces.update(keyspaceId, { disabled: true }, { maxWait }),
  UpdateTenant: (_, maxWait) => operator.tenants.update(home.tenantId, { displayName: randomUUID() }, { maxWait }),
};

/** Those that concern one keyspace alone. A tenant's has to be waited for as in the slowest of its keyspaces. */
const takesInKeyspace = Object.entries(takes).filter(([name]) => name !== "UpdateTenant");

it("is told by each RPC that is listed here, and by no other", () => {
  const services = [KeyspaceService, KeyService, SelfService, TenantService, VerifyService];
  const telling = services.flatMap(({ methods }) => methods.filter(tellsEffectiveTime).map(({ name }) => name));
  expect(telling.toSorted()).toEqual(Object.keys(takes).toSorted());
  expect(services.flatMap(({ methods }) => methods.filter(takesMaxWait))).toHaveLength(telling.length);
});

describe.each(Object.entries(takes))("the effective time of %s", (_, take) => {
  it("is now where each replica has told that it goes by the change", async () => {
    const issued = await aKey(RevocationMode.AVAILABLE);
    const early = await metricOf(service, EARLY);
    expect(aheadMs(await take(issued, LONG))).toBe(0);
    expect((await metricOf(service, EARLY)) - early).toBe(1);
  });

  it("lies ahead by no more than leases and degraded answers last where one does not tell", async () => {
    const issued = await aKey(RevocationMode.AVAILABLE);
    await freezeAnother();
    const ahead = aheadMs(await take(issued, NOT_AT_ALL));
    expect(ahead).toBeGreaterThan(STRICT_MS);
    expect(ahead).toBeLessThanOrEqual(AVAILABLE_MS);
  });
});

describe.each(takesInKeyspace)("the effective time of %s in a strict keyspace", (_, take) => {
  it("lies ahead by no more than a lease", async () => {
    const issued = await aKey(RevocationMode.STRICT);
    await freezeAnother();
    const ahead = aheadMs(await take(issued, NOT_AT_ALL));
    expect(ahead).toBeLessThanOrEqual(STRICT_MS);
  });

  it("is now where there was time for that lease to end", async () => {
    const issued = await aKey(RevocationMode.STRICT);
    await freezeAnother();
    const bound = await metricOf(service, BOUND);
    expect(aheadMs(await take(issued, LONG))).toBe(0);
    expect((await metricOf(service, BOUND)) - bound).toBe(1);
  });
});

describe("the effective time", () => {
  it("of a change that finds nothing left to take waits like the first: nobody knows whether that one has got through", async () => {
    const { key } = await aKey(RevocationMode.AVAILABLE);
    await home.clavis.keys.revoke(key.id);
    await freezeAnother();
    const again = await home.clavis.keys.revoke(key.id, { maxWait: NOT_AT_ALL });
    expect(aheadMs(again)).toBeGreaterThan(STRICT_MS);
  });

  it("of the same request is waited for and told anew", async () => {
    const { key } = await aKey(RevocationMode.STRICT);
    const revoke = (maxWait: Span) => home.clavis.keys.revoke(key.id, { maxWait, requestId });
    const requestId = randomUUID();
    await freezeAnother();
    const bound = await metricOf(service, BOUND);
    const first = await revoke(LONG);
    time.advance(3_600_000);
    const second = await revoke(LONG);
    expect([timestampMs(second.effectiveTime) - timestampMs(first.effectiveTime), aheadMs(second)]).toEqual([
      3_600_000, 0,
    ]);
    expect((await metricOf(service, BOUND)) - bound).toBe(2);
    expect(second.key).toEqual(first.key);
  });

  it("of the same request still lies ahead where still nobody has told", async () => {
    const { key } = await aKey(RevocationMode.AVAILABLE);
    const request = { maxWait: NOT_AT_ALL, requestId: randomUUID() };
    await freezeAnother();
    await home.clavis.keys.revoke(key.id, request);
    expect(aheadMs(await home.clavis.keys.revoke(key.id, request))).toBeGreaterThan(STRICT_MS);
  });

  it("of a rotation is the end of the overlap, where that comes later", async () => {
    const { key } = await aKey(RevocationMode.AVAILABLE);
    await freezeAnother();
    const rotate = (overlap: Span) => home.clavis.keys.rotate(key.id, { overlap, maxWait: NOT_AT_ALL });
    expect(aheadMs(await rotate({ hours: 1 }))).toBe(3_600_000);
    expect(aheadMs(await rotate({ seconds: 1 }))).toBeGreaterThan(STRICT_MS);
  });

  it("is absent from a dry run", async () => {
    const { key } = await aKey(RevocationMode.AVAILABLE);
    const { effectiveTime } = await home.clavis.keys.batchRevoke({
      keyspaceId: key.keyspaceId,
      filter: {},
      dryRun: true,
    });
    expect(effectiveTime).toBeUndefined();
  });
});

describe("a keyspace that was made strict", () => {
  it("counts as available until nobody can take it for that any more", async () => {
    const { key } = await aKey(RevocationMode.AVAILABLE);
    const { keyspaceId } = key;
    const made = await home.clavis.keyspaces.update(keyspaceId, { revocationMode: RevocationMode.STRICT });
    expect(aheadMs(made)).toBe(0);
    await freezeAnother();
    const disable = () => home.clavis.keys.disable(key.id, { maxWait: NOT_AT_ALL });
    expect(aheadMs(await disable())).toBeGreaterThan(STRICT_MS);

    await using sql = await openSql(service.database.adminUrl);
    expect(await settled(keyspaceId)).toBe(false);
    // As the service does when 63 s have passed.
    await sql.query("update clavis.keyspaces set mode_settled = true where not mode_settled");
    expect(aheadMs(await disable())).toBeLessThanOrEqual(STRICT_MS);

    const back = await home.clavis.keyspaces.update(
      keyspaceId,
      { revocationMode: RevocationMode.AVAILABLE },
      { maxWait: NOT_AT_ALL },
    );
    expect(aheadMs(back)).toBeGreaterThan(STRICT_MS);
    expect(await settled(keyspaceId)).toBe(false);
  });

  it("is settled from the start where it was created so", async () => {
    const { key } = await aKey(RevocationMode.STRICT);
    expect(await settled(key.keyspaceId)).toBe(true);
  });

  async function settled(keyspaceId: string): Promise<unknown> {
    await using sql = await openSql(service.database.adminUrl);
    const [row] = await sql.query("select mode_settled from clavis.keyspaces where keyspace_id = $1", [
      toUuid("ks", keyspaceId),
    ]);
    return row?.mode_settled;
  }
});

const EARLY = 'clavis_effect_seconds_count{manner="early"}';
const BOUND = 'clavis_effect_seconds_count{manner="bound"}';

async function aKey(revocationMode: RevocationMode): Promise<IssuedKey> {
  const { id } = await home.newKeyspace({ revocationMode });
  return home.newKey(id, { permissions: ["documents.read"] });
}

/** Another replica says nothing any more, until the test is over. */
async function freezeAnother(): Promise<void> {
  const frozen = await openFrozenReplica(service);
  onTestFinished(async () => await frozen[Symbol.asyncDispose]());
}

function aheadMs({ effectiveTime }: Answer): number {
  if (effectiveTime === undefined) throw new Error("there is no effective time");
  return timestampMs(effectiveTime) - time.now();
}

function tellsEffectiveTime({ output }: DescMethod): boolean {
  return has(output, "effective_time");
}

function takesMaxWait({ input }: DescMethod): boolean {
  return has(input, "max_wait");
}

function has({ fields }: DescMessage, name: string): boolean {
  return fields.some((field) => field.name === name);
}
