import { hash, randomBytes } from "node:crypto";
import { toJsonString } from "@bufbuild/protobuf";
import { type Event, EventSchema, type Input, RevokeReason, type Timestamp, timestampDate } from "@clavis/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import type { ListEventsRequest } from "../../sdk/gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../sdk/gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../../sdk/gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../../sdk/gen/clavis/v1/tenant_service_pb.ts";
import { openTenantHome, setUpHome, type TenantHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const keys = home.rpc(KeyService);
const keyspaces = home.rpc(KeyspaceService);
const manager = { type: "management_key", id: home.managementKeyId };

describe("each change", () => {
  let keyspaceId = "";
  beforeAll(async () => {
    keyspaceId = (await home.newKeyspace()).id;
  });
  const targetsOf = (keyId: string) => [
    { type: "key", id: keyId },
    { type: "keyspace", id: keyspaceId },
  ];
  const newKeyId = async () => (await home.newKey(keyspaceId, { ownerId: "o" })).key.id;

  it("that makes a key is one event, with the key as it then is", async () => {
    const { answer, event } = await observed((options) => keys.createKey({ keyspaceId, displayName: "x" }, options));
    expect(event).toMatchObject({
      id: expect.stringMatching(/^evt_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      type: "key.created",
      actor: manager,
      targets: targetsOf(answer.key?.id ?? ""),
      after: { resource: { case: "key", value: answer.key } },
      changedFields: { paths: [] },
      reason: RevokeReason.UNSPECIFIED,
      reasonText: "",
      address: "127.0.0.1",
      userAgent: expect.stringContaining("connect-es"),
    });
    expect(event.before).toBeUndefined();
  });

  it.each<[string, string[], (keyId: string, options: CallOptions) => Promise<{ key?: unknown }>]>([
    [
      "key.updated",
      ["display_name"],
      (keyId, options) => keys.updateKey({ keyId, key: { displayName: "y" } }, options),
    ],
    [
      "key.updated",
      ["owner_id", "permissions", "allowed_addresses", "metadata"],
      (keyId, options) =>
        keys.updateKey(
          { keyId, key: { ownerId: "p", permissions: ["a"], allowedAddresses: ["::1"], metadata: { a: 1 } } },
          options,
        ),
    ],
    ["key.disabled", ["state"], (keyId, options) => keys.disableKey({ keyId }, options)],
    ["key.rotated", ["masked_secret", "secret_create_time"], (keyId, options) => keys.rotateKey({ keyId }, options)],
    [
      "key.rotated",
      ["masked_secret", "rotation", "secret_create_time"],
      (keyId, options) => keys.rotateKey({ keyId, overlap: { seconds: 3600n } }, options),
    ],
    ["key.revoked", ["state", "revocation"], (keyId, options) => keys.revokeKey({ keyId }, options)],
  ])("%s of %j is one event, with the key before and after", async (type, changedFields, change) => {
    const keyId = await newKeyId();
    const before = (await home.clavis.keys.get(keyId)).key;
    time.advance(1);
    const { answer, event } = await observed((options) => change(keyId, options));
    expect(event).toMatchObject({
      type,
      actor: manager,
      targets: targetsOf(keyId),
      before: { resource: { case: "key", value: before } },
      after: { resource: { case: "key", value: answer.key } },
      changedFields: { paths: changedFields },
    });
  });

  it("that switches on, completes a rotation, imports or deletes is one event", async () => {
    const keyId = await newKeyId();
    await home.clavis.keys.disable(keyId);
    const on = await observed((options) => keys.enableKey({ keyId }, options));
    expect(on.event).toMatchObject({ type: "key.enabled", changedFields: { paths: ["state"] } });
    await home.clavis.keys.rotate(keyId, { overlap: { hours: 1 } });
    const completed = await observed((options) => keys.completeRotation({ keyId }, options));
    expect(completed.event).toMatchObject({ type: "key.rotation_completed", changedFields: { paths: ["rotation"] } });
    const imported = await observed((options) =>
      keys.importKeys({ keyspaceId, keys: [{ digest: newDigest(), spec: { displayName: "x" } }] }, options),
    );
    expect(imported.event).toMatchObject({
      type: "key.imported",
      after: { resource: { value: imported.answer.keys[0] } },
    });
    const { key: last } = await home.clavis.keys.revoke(keyId);
    const gone = await observed((options) => keys.deleteKey({ keyId }, options));
    expect(gone.event).toMatchObject({
      type: "key.deleted",
      targets: targetsOf(keyId),
      before: { resource: { case: "key", value: last } },
      changedFields: { paths: [] },
    });
    expect(gone.event.after).toBeUndefined();
  });

  it("of a keyspace is one event", async () => {
    const created = await observed((options) => keyspaces.createKeyspace({ displayName: "x", prefix: "ab" }, options));
    const id = created.answer.keyspace?.id ?? "";
    const targets = [{ type: "keyspace", id }];
    expect(created.event).toMatchObject({
      type: "keyspace.created",
      targets,
      after: { resource: { case: "keyspace", value: created.answer.keyspace } },
    });
    const keyspace = { prefix: "cd", disabled: true };
    const updated = await observed((options) => keyspaces.updateKeyspace({ keyspaceId: id, keyspace }, options));
    expect(updated.event).toMatchObject({
      type: "keyspace.updated",
      targets,
      before: { resource: { value: created.answer.keyspace } },
      after: { resource: { value: updated.answer.keyspace } },
      changedFields: { paths: ["prefix", "earlier_prefixes", "disabled"] },
    });
    const deleted = await observed((options) => keyspaces.deleteKeyspace({ keyspaceId: id }, options));
    expect(deleted.event).toMatchObject({
      type: "keyspace.deleted",
      targets,
      before: { resource: { value: updated.answer.keyspace } },
    });
    expect(deleted.event.after).toBeUndefined();
  });

  it("of a tenant by the operator is in that tenant's own log", async () => {
    const operator = home.rpc(TenantService, service.operatorToken);
    await using other = await openTenantHome(service);
    const { tenantId, managementKeyspaceId, managementKeyId } = other;
    await operator.updateTenant({ tenantId, tenant: { displayName: "renamed" } });
    await operator.createManagementKey({ tenantId, displayName: "second" });
    const events = await all({ oldestFirst: true }, other);
    expect(events.map(({ type }) => type)).toEqual([
      "tenant.created",
      "keyspace.created",
      "key.created",
      "tenant.updated",
      "key.created",
    ]);
    expect(events.map(({ actor }) => actor)).toMatchObject(Array(5).fill({ type: "operator", id: "" }));
    expect(events.slice(0, 4).map(({ targets }) => targets)).toMatchObject([
      [{ type: "tenant", id: tenantId }],
      [{ type: "keyspace", id: managementKeyspaceId }],
      [
        { type: "key", id: managementKeyId },
        { type: "keyspace", id: managementKeyspaceId },
      ],
      [{ type: "tenant", id: tenantId }],
    ]);
    expect(new Set(events.slice(0, 3).map(({ callId }) => callId)).size).toBe(1);
    expect(events[3]).toMatchObject({
      before: { resource: { case: "tenant", value: { displayName: "Test" } } },
      after: { resource: { case: "tenant", value: { displayName: "renamed" } } },
      changedFields: { paths: ["display_name"] },
    });
  });

  it("of many keys at once is an event for each, under one call, in the order asked for", async () => {
    const specs = Array.from({ length: 20 }, (_, index) => ({ displayName: `${index}` }));
    const created = await headed((options) => keys.batchCreateKeys({ keyspaceId, keys: specs }, options));
    const ids = created.answer.keys.map(({ key }) => key?.id);
    const events = await all({ callId: created.callId, oldestFirst: true });
    expect(events.map(({ targets }) => targets[0]?.id)).toEqual(ids);
    expect(events.map(({ type }) => type)).toEqual(ids.map(() => "key.created"));

    const wish = { keyspaceId, filter: { text: "1" }, reason: RevokeReason.SUPERSEDED, reasonText: "new ones" };
    const revoked = await headed((options) => keys.batchRevokeKeys(wish, options));
    const ends = await all({ callId: revoked.callId, oldestFirst: true });
    expect(ends.map(({ targets }) => targets[0]?.id)).toEqual(revoked.answer.keyIds);
    expect(ends).toMatchObject(
      revoked.answer.keyIds.map(() => ({ type: "key.revoked", reason: wish.reason, reasonText: "new ones" })),
    );
    expect(ends.length).toBeGreaterThanOrEqual(11);
  });

  it("by a key's own bearer names the bearer, and the reason", async () => {
    const { key, secret } = await home.newKey(keyspaceId);
    const reason = { reason: RevokeReason.COMPROMISED, reasonText: "on a public page" };
    const { event } = await observed((options) => home.rpc(SelfService, secret).revokeSelf(reason, options));
    expect(event).toMatchObject({ type: "key.revoked", actor: { type: "key", id: key.id }, ...reason });
  });

  it("tells the first 256 characters of the caller's agent", async () => {
    const headers = { "user-agent": "x".repeat(300) };
    const { event } = await observed((options) =>
      keys.createKey({ keyspaceId, displayName: "x" }, { ...options, headers }),
    );
    expect(event.userAgent).toBe("x".repeat(256));
  });

  it("that is refused, changes nothing or only asks leaves no event", async () => {
    const keyId = await newKeyId();
    await home.clavis.keys.disable(keyId);
    const { sequence: last = 0n } = await newest();
    await home.clavis.keys.disable(keyId);
    await home.clavis.keys.completeRotation(keyId);
    await home.clavis.keys.batchRevoke({ keyspaceId, filter: {}, dryRun: true });
    await home.clavis.keys.batchRevoke({ keyspaceId, filter: { ownerId: "nobody" } });
    await home.clavis.keys.list({ keyspaceId }).page();
    const refused = [
      () => home.clavis.keys.update(keyId, { displayName: "z" }, { etag: '"zzz"' }),
      () => home.clavis.keys.delete(keyId),
      () => home.clavis.keyspaces.delete(keyspaceId),
      () => home.newKey(keyspaceId, { permissions: ["NO"] }),
      () => home.clavis.keys.import({ keyspaceId, keys: [anImport("a"), anImport("a")] }),
    ];
    for (const call of refused) await expect(call()).rejects.toThrow();
    await home.clavis.keys.revoke(keyId);
    await home.clavis.keys.revoke(keyId);
    expect(await newest()).toMatchObject({ type: "key.revoked", sequence: last + 1n });
  });

  it("holds no secret and no digest", async () => {
    const { key, secret } = await home.newKey(keyspaceId);
    const rotated = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    const digest = newDigest();
    await home.clavis.keys.import({ keyspaceId, keys: [{ digest, spec: { displayName: "x" } }] });
    const texts = (await all({})).map((event) => toJsonString(EventSchema, event));
    expect(texts.length).toBeGreaterThan(50);
    for (const one of [secret, rotated.secret]) {
      for (const form of [one, hash("sha256", one, "hex"), hash("sha256", one, "base64")])
        expect(texts.filter((text) => text.includes(form))).toEqual([]);
    }
    expect(texts.filter((text) => text.includes(digest))).toEqual([]);
  });
});

describe("the log", () => {
  it("counts from 1 without a gap, in time, also when many write at once", async () => {
    await using tenant = await openTenantHome(service);
    const { id: keyspaceId } = await tenant.newKeyspace();
    await Promise.all(Array.from({ length: 30 }, () => tenant.newKey(keyspaceId)));
    const events = await all({ oldestFirst: true, pageSize: 7 }, tenant);
    expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 34 }, (_, index) => BigInt(index + 1)));
    const times = events.map(({ time: at }) => millis(at));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(new Set(events.map(({ id }) => id)).size).toBe(34);
    const newestFirst = await all({ pageSize: 5 }, tenant);
    expect(newestFirst).toEqual(events.toReversed());
  });

  it("is read by type, actor, target, call and time, and by several of these at once", async () => {
    await using tenant = await openTenantHome(service);
    const [one, two] = [await tenant.newKeyspace(), await tenant.newKeyspace()];
    const { key } = await tenant.newKey(one.id);
    const second = await tenant.newManagementKey();
    await second.clavis.keys.disable(key.id);
    await second.clavis.keys.revoke(key.id);
    const events = await all({ oldestFirst: true }, tenant);
    const found = async (filter: Input<ListEventsRequest>) =>
      (await all({ ...filter, oldestFirst: true }, tenant)).map(({ sequence }) => Number(sequence));

    expect(events.map(({ type }) => type).slice(3)).toEqual([
      "keyspace.created",
      "keyspace.created",
      "key.created",
      "key.created",
      "key.disabled",
      "key.revoked",
    ]);
    expect(await found({ types: ["key.revoked", "key.disabled"] })).toEqual([8, 9]);
    expect(await found({ types: ["key.unheard_of"] })).toEqual([]);
    expect(await found({ actorId: second.key.id })).toEqual([8, 9]);
    expect(await found({ targetId: key.id })).toEqual([6, 8, 9]);
    expect(await found({ targetId: one.id })).toEqual([4, 6, 8, 9]);
    expect(await found({ targetId: two.id })).toEqual([5]);
    expect(await found({ targetId: tenant.tenantId })).toEqual([1]);
    expect(await found({ callId: events[8]?.callId ?? "" })).toEqual([9]);
    const [earlier, later] = [dateOf(events[3]?.time), dateOf(events[8]?.time)];
    const numbersOf = (some: Event[]) => some.map(({ sequence }) => Number(sequence));
    expect(await found({ afterTime: earlier })).toEqual(
      numbersOf(events.filter(({ time: at }) => millis(at) >= earlier.getTime())),
    );
    expect(await found({ beforeTime: later })).toEqual(
      numbersOf(events.filter(({ time: at }) => millis(at) < later.getTime())),
    );
    expect(await found({ afterTime: new Date(later.getTime() + 1) })).toEqual([]);
    expect(await found({ actorId: second.key.id, types: ["key.revoked"], targetId: one.id })).toEqual([9]);
  });

  it("is read in pages that stay in place while it grows, by tokens of this query alone", async () => {
    await using tenant = await openTenantHome(service);
    const { id: keyspaceId } = await tenant.newKeyspace();
    for (let index = 0; index < 6; index++) await tenant.newKey(keyspaceId);
    const seen: bigint[] = [];
    const query = { pageSize: 4, types: ["key.created"] };
    for await (const { items } of tenant.clavis.audit.list(query).pages()) {
      seen.push(...items.map(({ sequence }) => sequence));
      await tenant.newKey(keyspaceId);
    }
    expect(seen).toEqual([10n, 9n, 8n, 7n, 6n, 5n, 3n]);
    const { nextPageToken: pageToken } = await tenant.clavis.audit.list(query).page();
    for (const other of [
      { types: [] },
      { oldestFirst: true },
      { actorId: "x" },
      { targetId: "x" },
      { callId: "x" },
      { afterTime: new Date(0) },
    ]) {
      await expect(tenant.clavis.audit.list({ ...query, ...other, pageToken }).page()).rejects.toMatchObject({
        reason: "PAGE_TOKEN_INVALID",
      });
    }
    await expect(home.clavis.audit.list({ ...query, pageToken }).page()).rejects.toMatchObject({
      reason: "PAGE_TOKEN_INVALID",
    });
  });

  it("shows to who is held to keyspaces the events of these alone", async () => {
    await using tenant = await openTenantHome(service);
    const [mine, other] = [await tenant.newKeyspace(), await tenant.newKeyspace()];
    const inside = [await tenant.newKey(mine.id), await tenant.newKey(mine.id)].map(({ key }) => key.id);
    const outside = (await tenant.newKey(other.id)).key.id;
    const reader = await tenant.newManagementKey({ permissions: ["clavis.audit.read"], allowedKeyspaceIds: [mine.id] });
    const events = await all({}, { clavis: reader.clavis });
    expect(events.map(({ targets }) => targets[0]?.id).toReversed()).toEqual([mine.id, ...inside]);
    for (const targetId of [outside, other.id, reader.key.id, tenant.tenantId, tenant.managementKeyspaceId])
      expect(await all({ targetId }, { clavis: reader.clavis })).toEqual([]);
  });

  it.each([
    ["a type that cannot be", { types: ["Key.Created"] }, "types[0]"],
    ["a type twice", { types: ["key.created", "key.created"] }, "types"],
    ["a negative page", { pageSize: -1 }, "page_size"],
    ["an endless id", { targetId: "x".repeat(65) }, "target_id"],
  ])("refuses %s", async (_, request, field) => {
    await expect(all(request)).rejects.toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field }] });
  });
});

interface CallOptions {
  onHeader?: (headers: Headers) => void;
  headers?: Record<string, string>;
}

/** Makes a change and gives its answer, and the one event that it left. */
async function observed<Answer>(change: (options: CallOptions) => Promise<Answer>) {
  const { answer, callId } = await headed(change);
  const events = await all({ callId });
  const [event] = events;
  if (event === undefined || events.length > 1) throw new Error(`${events.length} events of one change`);
  return { answer, event };
}

async function headed<Answer>(change: (options: CallOptions) => Promise<Answer>) {
  let callId = "";
  const answer = await change({
    onHeader(headers) {
      callId = headers.get("clavis-call-id") ?? "";
    },
  });
  expect(callId).toMatch(/^[0-9a-f-]{36}$/);
  return { answer, callId };
}

async function all(request: Input<ListEventsRequest>, tenant: Pick<TenantHome, "clavis"> = home): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of tenant.clavis.audit.list(request)) events.push(event);
  return events;
}

async function newest(): Promise<Partial<Event>> {
  return (await home.clavis.audit.list({ pageSize: 1 }).page()).items[0] ?? {};
}

function dateOf(timestamp: Timestamp | undefined): Date {
  if (timestamp === undefined) throw new Error("no time");
  return timestampDate(timestamp);
}

function millis(timestamp: Timestamp | undefined): number {
  return dateOf(timestamp).getTime();
}

function newDigest(): string {
  return randomBytes(32).toString("hex");
}

function anImport(digit: string) {
  return { digest: digit.repeat(64), spec: { displayName: "x" } };
}
