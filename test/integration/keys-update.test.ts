import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { KeyState, Outcome, type Timestamp, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { type Key, KeySchema } from "../../sdk/gen/clavis/v1/key_pb.ts";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { type KeyInit, setUpHome } from "../harness/tenant-home.ts";

const { time, home } = await setUpHome();
const raw = home.rpc(KeyService);
const DAY = 24 * 60 * 60 * 1000;

const full: KeyInit = {
  displayName: "before",
  ownerId: "owner",
  permissions: ["a.read"],
  allowedAddresses: ["10.0.0.0/8"],
  metadata: { plan: "pro" },
};

describe("UpdateKey", () => {
  it.each<[string, Parameters<typeof home.clavis.keys.update>[1], Partial<Key>]>([
    ["display_name", { displayName: "after" }, { displayName: "after" }],
    ["owner_id", { ownerId: "" }, { ownerId: "" }],
    ["permissions", { permissions: ["b.*"] }, { permissions: ["b.*"] }],
    ["permissions, all of them gone", { permissions: [] }, { permissions: [] }],
    ["allowed_addresses", { allowedAddresses: ["::1"] }, { allowedAddresses: ["::1/128"] }],
    ["metadata", { metadata: { plan: "free", n: 1 } }, { metadata: { plan: "free", n: 1 } }],
    ["metadata, all of it gone", { metadata: {} }, { metadata: {} }],
  ])("changes %s and nothing else", async (_, changes, changed) => {
    const { key } = await newKey(full);
    time.advance(5);
    const answer = await home.clavis.keys.update(key.id, changes);
    expect(answer.key).toEqual({ ...key, ...changed, etag: answer.key.etag, updateTime: answer.key.updateTime });
    expect(answer.key.etag).not.toBe(key.etag);
    expect(dateOf(answer.key.updateTime)).toEqual(time.date());
    expect(dateOf(answer.effectiveTime)).toEqual(time.date());
    expect((await home.clavis.keys.get(key.id)).key).toEqual(answer.key);
  });

  it("gives and takes away both times", async () => {
    const { key, secret } = await newKey();
    const times = { expireTime: time.date(2 * DAY), notBeforeTime: time.date(DAY) };
    const given = (await home.clavis.keys.update(key.id, times)).key;
    expect([dateOf(given.expireTime), dateOf(given.notBeforeTime)]).toEqual([times.expireTime, times.notBeforeTime]);
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.NOT_YET_VALID);
    const taken = (await home.clavis.keys.update(key.id, { expireTime: null, notBeforeTime: null })).key;
    expect([taken.expireTime, taken.notBeforeTime]).toEqual([undefined, undefined]);
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.VALID);
  });

  it("holds at once: permissions that go are missing, addresses that come admit", async () => {
    const { key, secret } = await newKey({ permissions: ["a.read"], allowedAddresses: ["10.0.0.0/8"] });
    const ask = (clientIp: string) => home.outcomeOf(secret, key.keyspaceId, { permissions: ["a.read"], clientIp });
    expect([await ask("10.1.1.1"), await ask("11.1.1.1")]).toEqual([Outcome.VALID, Outcome.ADDRESS_DENIED]);
    await home.clavis.keys.update(key.id, { allowedAddresses: ["11.0.0.0/8"] });
    expect([await ask("10.1.1.1"), await ask("11.1.1.1")]).toEqual([Outcome.ADDRESS_DENIED, Outcome.VALID]);
    await home.clavis.keys.update(key.id, { permissions: [] });
    expect(await ask("11.1.1.1")).toBe(Outcome.INSUFFICIENT_PERMISSIONS);
  });

  it("reads of the key only what the mask names", async () => {
    const { key } = await newKey(full);
    const sent = {
      displayName: "after",
      ownerId: "other",
      permissions: ["z"],
      state: KeyState.REVOKED,
      id: "whatever",
    };
    const answer = await updateRaw(key.id, sent, ["owner_id"]);
    expect(answer).toMatchObject({ displayName: "before", ownerId: "other", permissions: ["a.read"], id: key.id });
    expect(answer?.state).toBe(KeyState.ACTIVE);
  });

  it("without a mask changes what is set, and nothing that is not", async () => {
    const { key } = await newKey(full);
    const answer = await updateRaw(key.id, { displayName: "after", permissions: [], ownerId: "" });
    expect(answer).toMatchObject({ displayName: "after", permissions: ["a.read"], ownerId: "owner" });
  });

  it("with the mask * replaces everything that can be changed", async () => {
    const { key } = await newKey({ ...full, expireTime: time.date(DAY) });
    const answer = await updateRaw(key.id, { displayName: "after", id: "whatever" }, ["*"]);
    expect(answer).toMatchObject({ displayName: "after", permissions: [], ownerId: "", allowedAddresses: [] });
    expect(answer).toMatchObject({ id: key.id, maskedSecret: key.maskedSecret, state: KeyState.ACTIVE });
    expect([answer?.metadata ?? {}, answer?.expireTime]).toEqual([{}, undefined]);
  });

  it("refuses each path that cannot be changed, by its place in the mask", async () => {
    const { key } = await newKey();
    const paths = ["display_name", "state", "nonsense", "metadata.plan", "displayName"];
    const error = await errorOf(updateRaw(key.id, { displayName: "after" }, paths));
    expect(error.reason).toBe("INVALID_REQUEST");
    expect(error.violations.map(({ field }) => field)).toEqual([1, 2, 3, 4].map((at) => `update_mask.paths[${at}]`));
    expect((await home.clavis.keys.get(key.id)).key).toEqual(key);
  });

  it("fails when somebody else was faster, and changes nothing then", async () => {
    const { key } = await newKey();
    const { etag } = key;
    const first = await home.clavis.keys.update(key.id, { displayName: "first" }, { etag });
    const second = home.clavis.keys.update(key.id, { displayName: "second" }, { etag });
    await expect(second).rejects.toMatchObject({ reason: "ETAG_MISMATCH", code: "ABORTED" });
    expect((await home.clavis.keys.get(key.id)).key).toEqual(first.key);
    const third = await home.clavis.keys.update(key.id, { displayName: "third" }, { etag: first.key.etag });
    expect(third.key.displayName).toBe("third");
  });

  it("lets one of many with the same etag through", async () => {
    const { key } = await newKey();
    const { etag } = key;
    const attempts = Array.from({ length: 8 }, (_, index) =>
      home.clavis.keys.update(key.id, { displayName: `${index}` }, { etag }),
    );
    const results = await Promise.allSettled(attempts);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const reasons = results.flatMap((result) => (result.status === "rejected" ? [result.reason.reason] : []));
    expect(reasons).toEqual(Array(7).fill("ETAG_MISMATCH"));
  });

  it.each([
    ["an empty name", { displayName: "" }, "key.display_name"],
    ["what is no permission", { permissions: ["a", "B"] }, "key.permissions[1]"],
    ["what is no network", { allowedAddresses: ["nowhere"] }, "key.allowed_addresses[0]"],
    ["too much metadata", { metadata: { text: "x".repeat(5000) } }, "key.metadata"],
    ["a scope", { allowedKeyspaceIds: [`ks_${"0".repeat(26)}`] }, "key.allowed_keyspace_ids"],
    ["a start at the end", { notBeforeTime: new Date(9e12), expireTime: new Date(9e12) }, "key.not_before_time"],
  ])("refuses %s as CreateKey does", async (_, changes, field) => {
    const { key } = await newKey();
    const change = home.clavis.keys.update(key.id, changes);
    await expect(change).rejects.toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field }] });
  });

  it("holds new permissions against the keyspace, and leaves old ones alone", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { key } = await home.newKey(keyspaceId, { permissions: ["old.*", "a.read"] });
    await home.clavis.keyspaces.update(keyspaceId, { grantablePermissions: ["a.*"] });
    const kept = await home.clavis.keys.update(key.id, { permissions: ["old.read", "a.write"] });
    expect(kept.key.permissions).toEqual(["old.read", "a.write"]);
    await expect(home.clavis.keys.update(key.id, { permissions: ["old.write"] })).rejects.toMatchObject({
      reason: "PERMISSION_NOT_GRANTABLE",
      facts: { permissions: "old.write" },
      violations: [{ field: "key.permissions" }],
    });
  });

  it("needs a key that is there", async () => {
    const keyId = `key_${"0".repeat(26)}`;
    await expect(home.clavis.keys.update(keyId, { displayName: "x" })).rejects.toMatchObject({
      reason: "KEY_NOT_FOUND",
      facts: { key_id: keyId },
    });
  });
});

describe("an expiry that is moved", () => {
  it("revives an expired key, which then verifies again", async () => {
    const { key, secret } = await newKey({ ttl: { seconds: 1 } });
    time.advance(1000);
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.EXPIRED);
    const revived = (await home.clavis.keys.update(key.id, { expireTime: time.date(1) })).key;
    expect(revived.state).toBe(KeyState.ACTIVE);
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.VALID);
    time.advance(1);
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.EXPIRED);
  });

  it("does not go into the past", async () => {
    const { key } = await newKey();
    await expect(home.clavis.keys.update(key.id, { expireTime: time.date() })).rejects.toMatchObject({
      reason: "EXPIRY_OUTSIDE_POLICY",
      violations: [{ field: "key.expire_time" }],
    });
  });

  it("stays within the keyspace's maximum, counted from when the present secret was made", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ maxTtl: { days: 10 } });
    const { key } = await home.newKey(keyspaceId, { ttl: { days: 5 } });
    time.advance(DAY);
    const latest = time.date(9 * DAY);
    const extend = (expireTime: Date | null) => home.clavis.keys.update(key.id, { expireTime });
    expect(dateOf((await extend(latest)).key.expireTime)).toEqual(latest);
    const beyond = { reason: "EXPIRY_OUTSIDE_POLICY", facts: { latest: latest.toISOString() } };
    await expect(extend(new Date(latest.getTime() + 1))).rejects.toMatchObject(beyond);
    await expect(extend(null)).rejects.toMatchObject(beyond);

    const { secret } = await home.clavis.keys.rotate(key.id);
    const later = time.date(10 * DAY);
    expect(dateOf((await extend(later)).key.expireTime)).toEqual(later);
    await expect(extend(new Date(later.getTime() + 1))).rejects.toMatchObject({
      facts: { latest: later.toISOString() },
    });
    expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.VALID);
  });

  it("is held against a maximum that came later only when it is moved", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { key } = await home.newKey(keyspaceId, { expireTime: time.date(30 * DAY) });
    await home.clavis.keyspaces.update(keyspaceId, { maxTtl: { days: 10 } });
    const kept = await home.clavis.keys.update(key.id, { displayName: "y", expireTime: time.date(30 * DAY) });
    expect(dateOf(kept.key.expireTime)).toEqual(time.date(30 * DAY));
    const moved = home.clavis.keys.update(key.id, { expireTime: time.date(29 * DAY) });
    await expect(moved).rejects.toMatchObject({ reason: "EXPIRY_OUTSIDE_POLICY" });
  });
});

async function newKey(init?: KeyInit) {
  return home.newKey((await home.newKeyspace()).id, init);
}

async function updateRaw(keyId: string, key: Partial<Omit<Key, "$typeName">>, paths?: string[]) {
  const answer = await raw.updateKey({
    keyId,
    key: create(KeySchema, key),
    ...(paths && { updateMask: create(FieldMaskSchema, { paths }) }),
  });
  return answer.key;
}

function dateOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
