import { hash } from "node:crypto";
import { type BatchRevokeKeysInput, KeyState, Outcome, RevokeReason, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { type KeyInit, setUpHome } from "../harness/tenant-home.ts";

const { time, home } = await setUpHome();
const raw = home.rpc(KeyService);
const MINUTE = 60 * 1000;
const missingKeyId = `key_${"0".repeat(26)}`;

describe("DisableKey and EnableKey", () => {
  it("switch a key off and on", async () => {
    const { key, secret } = await newKey();
    time.advance(1);
    const off = await home.clavis.keys.disable(key.id);
    expect(off.key).toEqual({ ...key, state: KeyState.DISABLED, etag: off.key.etag, updateTime: off.key.updateTime });
    expect(timestampDate(off.effectiveTime)).toEqual(time.date());
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.DISABLED);
    const on = await home.clavis.keys.enable(key.id);
    expect(on.key.state).toBe(KeyState.ACTIVE);
    expect(new Set([key.etag, off.key.etag, on.key.etag]).size).toBe(3);
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.VALID);
  });

  it("change nothing where it is so already", async () => {
    const { key } = await newKey();
    expect((await home.clavis.keys.enable(key.id)).key).toEqual(key);
    const off = await home.clavis.keys.disable(key.id);
    time.advance(1);
    expect((await home.clavis.keys.disable(key.id)).key).toEqual(off.key);
  });

  it("heed the etag", async () => {
    const { key } = await newKey();
    const { etag } = (await home.clavis.keys.disable(key.id, { etag: key.etag })).key;
    const stale = { etag: key.etag };
    await expect(home.clavis.keys.enable(key.id, stale)).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    await expect(home.clavis.keys.disable(key.id, stale)).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    expect((await home.clavis.keys.enable(key.id, { etag })).key.state).toBe(KeyState.ACTIVE);
  });

  it("stand behind what time does to a key", async () => {
    const { key, secret } = await newKey({ ttl: { minutes: 1 }, notBeforeTime: time.date(1) });
    expect((await home.clavis.keys.disable(key.id)).key.state).toBe(KeyState.NOT_YET_VALID);
    time.advance(1);
    expect((await home.clavis.keys.get(key.id)).key.state).toBe(KeyState.DISABLED);
    time.advance(MINUTE);
    expect((await home.clavis.keys.get(key.id)).key.state).toBe(KeyState.EXPIRED);
    await home.clavis.keys.update(key.id, { expireTime: null });
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.DISABLED);
  });
});

describe("RevokeKey", () => {
  it("ends a key for ever, and says when, why and by whom", async () => {
    const { key, secret } = await newKey();
    time.advance(3);
    const reason = RevokeReason.COMPROMISED;
    const revoked = await home.clavis.keys.revoke(key.id, { reason, reasonText: "seen in a paste" });
    expect(revoked.key).toMatchObject({
      id: key.id,
      state: KeyState.REVOKED,
      revocation: {
        reason,
        reasonText: "seen in a paste",
        actorType: "management_key",
        actorId: home.managementKeyId,
      },
    });
    expect(revoked.key.revocation?.time && timestampDate(revoked.key.revocation.time)).toEqual(time.date());
    expect(timestampDate(revoked.effectiveTime)).toEqual(time.date());
    expect(await home.clavis.verify({ secret, keyspaceId: key.keyspaceId })).toMatchObject({
      outcome: Outcome.REVOKED,
      key: { id: key.id },
    });
  });

  it("keeps the first reason, time and actor when it comes again", async () => {
    const { key } = await newKey();
    const first = await home.clavis.keys.revoke(key.id, { reason: RevokeReason.UNUSED, reasonText: "first" });
    time.advance(5);
    const again = await home.clavis.keys.revoke(key.id, { reason: RevokeReason.OTHER, reasonText: "second" });
    expect(again.key).toEqual(first.key);
    expect(timestampDate(again.effectiveTime)).toEqual(time.date());
  });

  it("takes each reason that the contract has", async () => {
    const reasons = Object.values(RevokeReason).filter((reason) => typeof reason === "number");
    expect(reasons).toHaveLength(7);
    for (const reason of reasons) {
      const { key } = await newKey();
      expect((await home.clavis.keys.revoke(key.id, { reason })).key.revocation?.reason).toBe(reason);
    }
  });

  it("refuses a reason that it has not, and a text over 500 characters", async () => {
    const { key } = await newKey();
    const unknown = await errorOf(raw.revokeKey({ keyId: key.id, reason: 99 as RevokeReason }));
    expect(unknown).toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field: "reason" }] });
    const long = home.clavis.keys.revoke(key.id, { reasonText: "x".repeat(501) });
    await expect(long).rejects.toMatchObject({ violations: [{ field: "reason_text" }] });
    expect((await home.clavis.keys.revoke(key.id, { reasonText: "é".repeat(500) })).key.state).toBe(KeyState.REVOKED);
  });

  it("leaves nothing that brings the key back", async () => {
    const { key, secret } = await newKey();
    const { secret: second } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    await home.clavis.keys.revoke(key.id);
    const attempts = [
      () => home.clavis.keys.enable(key.id),
      () => home.clavis.keys.disable(key.id),
      () => home.clavis.keys.rotate(key.id),
      () => home.clavis.keys.completeRotation(key.id),
      () => home.clavis.keys.update(key.id, { expireTime: null }),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({
        reason: "KEY_STATE_CONFLICT",
        facts: { key_id: key.id, state: "revoked" },
      });
    }
    for (const one of [secret, second]) expect(await home.outcomeOf(one, key.keyspaceId)).toBe(Outcome.REVOKED);
  });

  it("ends keys that are off, expired or yet to come as well", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const keys = [
      await home.newKey(keyspaceId, { ttl: { seconds: 1 } }),
      await home.newKey(keyspaceId, { notBeforeTime: time.date(MINUTE) }),
      await home.newKey(keyspaceId),
    ];
    await home.clavis.keys.disable(keys[2]?.key.id ?? "");
    time.advance(1000);
    for (const { key, secret } of keys) {
      expect((await home.clavis.keys.revoke(key.id)).key.state).toBe(KeyState.REVOKED);
      expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.REVOKED);
    }
  });

  it("needs a key that is there", async () => {
    await expect(home.clavis.keys.revoke(missingKeyId)).rejects.toMatchObject({
      reason: "KEY_NOT_FOUND",
      facts: { key_id: missingKeyId },
    });
  });
});

describe("BatchRevokeKeys", () => {
  it("says in a dry run which keys it would be, changes nothing, and then revokes these", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const made: string[] = [];
    for (const ownerId of ["a", "b", "a", "a"]) {
      made.push((await home.newKey(keyspaceId, { ownerId })).key.id);
      time.advance(1);
    }
    const [first, second, third, fourth] = made;
    await home.clavis.keys.revoke(third ?? "", { reason: RevokeReason.UNUSED });
    const wish = { keyspaceId, filter: { ownerId: "a" }, reason: RevokeReason.COMPROMISED, reasonText: "leak" };

    const dry = await home.clavis.keys.batchRevoke({ ...wish, dryRun: true });
    expect(dry).toMatchObject({ keyIds: [first, fourth], nextPageToken: "" });
    expect(dry.effectiveTime).toBeUndefined();
    expect(await activeCount(keyspaceId)).toBe(3);

    const wet = await home.clavis.keys.batchRevoke(wish);
    expect(wet).toMatchObject({ keyIds: [first, fourth], nextPageToken: "" });
    expect(wet.effectiveTime && timestampDate(wet.effectiveTime)).toEqual(time.date());
    const states = await Promise.all(made.map(async (id) => (await home.clavis.keys.get(id)).key));
    expect(states.map(({ state }) => state === KeyState.REVOKED)).toEqual([true, false, true, true]);
    expect(states[0]?.revocation).toMatchObject({
      reason: RevokeReason.COMPROMISED,
      reasonText: "leak",
      actorType: "management_key",
      actorId: home.managementKeyId,
    });
    expect(states[2]?.revocation).toMatchObject({ reason: RevokeReason.UNUSED });
    expect(states[1]?.id).toBe(second);
    expect((await home.clavis.keys.batchRevoke(wish)).keyIds).toEqual([]);
  });

  it("goes on from page to page until over 1,000 keys are gone, oldest first, none twice", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const older = await home.clavis.keys.batchCreate({ keyspaceId, keys: names(30) });
    time.advance(1);
    const younger = await home.clavis.keys.batchCreate({ keyspaceId, keys: names(1000) });
    const wish = { keyspaceId, filter: {} };
    const first = await home.clavis.keys.batchRevoke(wish);
    expect(first.keyIds).toHaveLength(1000);
    expect(new Set(first.keyIds.slice(0, 30))).toEqual(new Set(older.map(({ key }) => key.id)));
    expect(await activeCount(keyspaceId)).toBe(30);
    const second = await home.clavis.keys.batchRevoke({ ...wish, pageToken: first.nextPageToken });
    expect(second).toMatchObject({ nextPageToken: "" });
    expect(second.keyIds).toHaveLength(30);
    const all = [...older, ...younger].map(({ key }) => key.id);
    expect(new Set([...first.keyIds, ...second.keyIds])).toEqual(new Set(all));
    expect(await activeCount(keyspaceId)).toBe(0);
  });

  it.each([
    ["0 keys, which means 1,000", 0, 5],
    ["2 keys", 2, 2],
    ["2,000 keys, which means 1,000", 2000, 5],
  ])("takes pages of %s, in dry runs too", async (_, pageSize, length) => {
    const { id: keyspaceId } = await home.newKeyspace();
    await home.clavis.keys.batchCreate({ keyspaceId, keys: names(5) });
    const wish = { keyspaceId, filter: {}, pageSize };
    const dry = await home.clavis.keys.batchRevoke({ ...wish, dryRun: true });
    expect(dry.keyIds).toHaveLength(length);
    expect((await home.clavis.keys.batchRevoke(wish)).keyIds).toEqual(dry.keyIds);
  });

  it("pages a dry run to its end", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    await home.clavis.keys.batchCreate({ keyspaceId, keys: names(5) });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await home.clavis.keys.batchRevoke({ keyspaceId, filter: {}, dryRun: true, pageSize: 2, pageToken });
      seen.push(...page.keyIds);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
  });

  it.each<[string, Partial<BatchRevokeKeysInput>]>([
    ["filter", { filter: { ownerId: "b" } }],
    ["filter's states", { filter: { ownerId: "a", states: [KeyState.ACTIVE] } }],
  ])("refuses a page token of another %s", async (_, other) => {
    const { id: keyspaceId } = await home.newKeyspace();
    await home.clavis.keys.batchCreate({ keyspaceId, keys: names(3).map((spec) => ({ ...spec, ownerId: "a" })) });
    const wish = { keyspaceId, filter: { ownerId: "a" }, pageSize: 1, dryRun: true };
    const { nextPageToken: pageToken } = await home.clavis.keys.batchRevoke(wish);
    for (const dryRun of [true, false]) {
      const call = home.clavis.keys.batchRevoke({ ...wish, ...other, pageToken, dryRun });
      await expect(call).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    }
    expect(await activeCount(keyspaceId)).toBe(3);
  });

  it("wants a filter, even an empty one", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    await home.newKey(keyspaceId);
    expect(await errorOf(raw.batchRevokeKeys({ keyspaceId }))).toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "filter" }],
    });
    expect(await activeCount(keyspaceId)).toBe(1);
    expect((await home.clavis.keys.batchRevoke({ keyspaceId, filter: {} })).keyIds).toHaveLength(1);
  });

  it("filters by state, end, secret and text as ListKeys does", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const off = await home.newKey(keyspaceId, { displayName: "Off duty" });
    await home.clavis.keys.disable(off.key.id);
    const ending = await home.newKey(keyspaceId, { ttl: { minutes: 1 } });
    const plain = await home.newKey(keyspaceId);
    const revoke = async (filter: BatchRevokeKeysInput["filter"]) =>
      (await home.clavis.keys.batchRevoke({ keyspaceId, filter, dryRun: true })).keyIds;
    expect(await revoke({ states: [KeyState.DISABLED] })).toEqual([off.key.id]);
    expect(await revoke({ states: [KeyState.REVOKED] })).toEqual([]);
    expect(await revoke({ expireBeforeTime: time.date(MINUTE + 1) })).toEqual([ending.key.id]);
    expect(await revoke({ prefix: plain.key.maskedSecret.slice(0, 14) })).toEqual([plain.key.id]);
    expect(await revoke({ text: "off" })).toEqual([off.key.id]);
  });

  it("needs a keyspace that is there", async () => {
    for (const dryRun of [true, false]) {
      const call = home.clavis.keys.batchRevoke({ keyspaceId: `ks_${"0".repeat(26)}`, filter: {}, dryRun });
      await expect(call).rejects.toMatchObject({ reason: "KEYSPACE_NOT_FOUND" });
    }
  });
});

describe("DeleteKey", () => {
  it.each(["active", "disabled", "not_yet_valid"])("refuses a key that is %s", async (state) => {
    const { key } = await newKey(state === "not_yet_valid" ? { notBeforeTime: time.date(1) } : {});
    if (state === "disabled") await home.clavis.keys.disable(key.id);
    await expect(home.clavis.keys.delete(key.id)).rejects.toMatchObject({
      reason: "KEY_STATE_CONFLICT",
      facts: { key_id: key.id, state },
    });
    expect((await home.clavis.keys.get(key.id)).key.id).toBe(key.id);
  });

  it.each(["revoked", "expired"])("removes a key that is %s; its secrets are unknown from then on", async (state) => {
    const { key, secret } = await newKey({ ttl: { hours: 2 } });
    const { secret: second } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    if (state === "revoked") await home.clavis.keys.revoke(key.id);
    else time.advance(120 * MINUTE);
    await home.clavis.keys.delete(key.id);
    for (const one of [secret, second]) expect(await home.outcomeOf(one, key.keyspaceId)).toBe(Outcome.NOT_FOUND);
    const gone = { reason: "KEY_NOT_FOUND", facts: { key_id: key.id } };
    await expect(home.clavis.keys.get(key.id)).rejects.toMatchObject(gone);
    await expect(home.clavis.keys.delete(key.id)).rejects.toMatchObject(gone);
    // So nothing stands in the way of importing one of them.
    const digest = hash("sha256", second, "hex");
    await home.clavis.keys.import({ keyspaceId: key.keyspaceId, keys: [{ digest, spec: { displayName: "again" } }] });
    expect(await home.outcomeOf(second, key.keyspaceId)).toBe(Outcome.VALID);
  });

  it("heeds the etag", async () => {
    const { key } = await newKey();
    await home.clavis.keys.revoke(key.id);
    const stale = home.clavis.keys.delete(key.id, { etag: key.etag });
    await expect(stale).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    const { etag } = (await home.clavis.keys.get(key.id)).key;
    await home.clavis.keys.delete(key.id, { etag });
  });
});

async function newKey(init?: KeyInit) {
  return home.newKey((await home.newKeyspace()).id, init);
}

async function activeCount(keyspaceId: string): Promise<number> {
  let count = 0;
  const request = { keyspaceId, filter: { states: [KeyState.ACTIVE] }, pageSize: 200 };
  for await (const _ of home.clavis.keys.list(request)) count++;
  return count;
}

function names(count: number) {
  return Array.from({ length: count }, (_, index) => ({ displayName: `key ${index}` }));
}
