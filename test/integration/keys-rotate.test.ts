import { KeyState, Outcome, type Timestamp, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { type KeyInit, setUpHome } from "../harness/tenant-home.ts";

const { time, home } = await setUpHome();
const MINUTE = 60 * 1000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const { VALID, ROTATED, EXPIRED, REVOKED, DISABLED } = Outcome;

describe("RotateKey", () => {
  it("gives the key a new secret and stops the old one at once where no overlap is asked for", async () => {
    const { key, secret, outcomes } = await newKey();
    time.advance(10);
    const rotated = await home.clavis.keys.rotate(key.id);
    expect(rotated.secret).toMatch(/^acme_live_/);
    expect(rotated.secret).not.toBe(secret);
    expect(rotated.key).toEqual({
      ...key,
      maskedSecret: `${rotated.secret.slice(0, 14)}...${rotated.secret.slice(-4)}`,
      secretCreateTime: rotated.key.secretCreateTime,
      etag: rotated.key.etag,
      updateTime: rotated.key.updateTime,
    });
    expect(dateOf(rotated.key.secretCreateTime)).toEqual(time.date());
    expect(dateOf(rotated.effectiveTime)).toEqual(time.date());
    expect(await outcomes(secret, rotated.secret)).toEqual([ROTATED, VALID]);
  });

  it("lets the old secret work until the millisecond before the overlap ends", async () => {
    const { key, secret, outcomes } = await newKey();
    const rotated = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    const end = time.date(HOUR);
    expect(rotated.key.rotation?.previousMaskedSecret).toBe(key.maskedSecret);
    expect(dateOf(rotated.key.rotation?.overlapEndTime)).toEqual(end);
    expect(dateOf(rotated.effectiveTime)).toEqual(end);

    const { keyspaceId } = key;
    const [old, young] = await home.clavis.batchVerify(
      [secret, rotated.secret].map((one) => ({ secret: one, keyspaceId })),
    );
    expect([old, young]).toMatchObject([
      { outcome: VALID, key: { id: key.id } },
      { outcome: VALID, key: { id: key.id } },
    ]);
    expect(old && "key" in old && dateOf(old.key?.secretStopTime)).toEqual(end);
    expect(young && "key" in young && young.key?.secretStopTime).toBe(undefined);

    time.advance(HOUR - 1);
    expect(await outcomes(secret, rotated.secret)).toEqual([VALID, VALID]);
    expect((await home.clavis.keys.get(key.id)).key.rotation).toBeDefined();
    time.advance(1);
    expect(await outcomes(secret, rotated.secret)).toEqual([ROTATED, VALID]);
    expect((await home.clavis.keys.get(key.id)).key.rotation).toBeUndefined();
  });

  it("promises no secret a longer life when it comes during an overlap", async () => {
    const { key, secret: first, outcomes } = await newKey();
    const { secret: second } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    time.advance(30 * MINUTE);
    const { secret: third, ...rotated } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 2 } });
    expect(dateOf(rotated.key.rotation?.overlapEndTime)).toEqual(time.date(2 * HOUR));
    expect(await outcomes(first, second, third)).toEqual([VALID, VALID, VALID]);
    time.advance(30 * MINUTE - 1);
    expect(await outcomes(first, second, third)).toEqual([VALID, VALID, VALID]);
    time.advance(1);
    expect(await outcomes(first, second, third)).toEqual([ROTATED, VALID, VALID]);
    time.advance(90 * MINUTE - 1);
    expect(await outcomes(first, second, third)).toEqual([ROTATED, VALID, VALID]);
    time.advance(1);
    expect(await outcomes(first, second, third)).toEqual([ROTATED, ROTATED, VALID]);
  });

  it.each([
    ["ends an overlap under way no later than its own", 10 * MINUTE],
    ["ends it at once if it has none of its own", 0],
  ])("%s", async (_, overlapMs) => {
    const { key, secret: first, outcomes } = await newKey();
    const { secret: second } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 2 } });
    const { secret: third } = await home.clavis.keys.rotate(key.id, { overlap: { milliseconds: overlapMs } });
    if (overlapMs > 0) {
      time.advance(overlapMs - 1);
      expect(await outcomes(first, second, third)).toEqual([VALID, VALID, VALID]);
      time.advance(1);
    }
    expect(await outcomes(first, second, third)).toEqual([ROTATED, ROTATED, VALID]);
  });

  it("ends an overlap with the key, and does not lengthen it when the key is extended", async () => {
    const { key, secret, outcomes } = await newKey({ ttl: { hours: 1 } });
    const rotated = await home.clavis.keys.rotate(key.id, { overlap: { days: 1 } });
    const end = time.date(HOUR);
    expect(dateOf(rotated.key.expireTime)).toEqual(end);
    expect(dateOf(rotated.key.rotation?.overlapEndTime)).toEqual(end);
    expect(dateOf(rotated.effectiveTime)).toEqual(end);
    await home.clavis.keys.update(key.id, { expireTime: time.date(DAY) });
    time.advance(HOUR - 1);
    expect(await outcomes(secret, rotated.secret)).toEqual([VALID, VALID]);
    time.advance(1);
    expect(await outcomes(secret, rotated.secret)).toEqual([ROTATED, VALID]);
    time.advance(23 * HOUR);
    expect(await outcomes(secret, rotated.secret)).toEqual([ROTATED, EXPIRED]);
  });

  it("makes its secret under the keyspace's present prefix; the old one goes on", async () => {
    const { key, secret, outcomes } = await newKey();
    await home.clavis.keyspaces.update(key.keyspaceId, { prefix: "acme_new" });
    const rotated = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    expect(rotated.secret).toMatch(/^acme_new_/);
    expect(rotated.key.rotation?.previousMaskedSecret).toMatch(/^acme_live_/);
    expect(await outcomes(secret, rotated.secret)).toEqual([VALID, VALID]);
  });

  it("works on keys that are switched off or yet to come, and changes nothing of that", async () => {
    const off = await newKey();
    await home.clavis.keys.disable(off.key.id);
    const rotated = await home.clavis.keys.rotate(off.key.id, { overlap: { hours: 1 } });
    expect(rotated.key.state).toBe(KeyState.DISABLED);
    expect(await off.outcomes(off.secret, rotated.secret)).toEqual([DISABLED, DISABLED]);
    const early = await newKey({ notBeforeTime: time.date(DAY) });
    expect((await home.clavis.keys.rotate(early.key.id)).key.state).toBe(KeyState.NOT_YET_VALID);
  });

  it.each<[string, "revoked" | "expired"]>([
    ["revoked", "revoked"],
    ["expired", "expired"],
  ])("refuses a key that is %s", async (_, state) => {
    const { key } = await newKey({ ttl: { minutes: 1 } });
    if (state === "revoked") await home.clavis.keys.revoke(key.id);
    else time.advance(MINUTE);
    await expect(home.clavis.keys.rotate(key.id)).rejects.toMatchObject({
      reason: "KEY_STATE_CONFLICT",
      code: "FAILED_PRECONDITION",
      facts: { key_id: key.id, state },
    });
  });

  it("takes an overlap from 0 s to 30 days", async () => {
    const { key } = await newKey();
    for (const overlap of [{ milliseconds: -1 }, { days: 30, milliseconds: 1 }]) {
      await expect(home.clavis.keys.rotate(key.id, { overlap })).rejects.toMatchObject({
        reason: "INVALID_REQUEST",
        violations: [{ field: "overlap" }],
      });
    }
    const { effectiveTime } = await home.clavis.keys.rotate(key.id, { overlap: { days: 30 } });
    expect(dateOf(effectiveTime)).toEqual(time.date(30 * DAY));
  });

  it("heeds the etag", async () => {
    const { key, secret, outcomes } = await newKey();
    await home.clavis.keys.update(key.id, { displayName: "other" });
    await expect(home.clavis.keys.rotate(key.id, { etag: key.etag })).rejects.toMatchObject({
      reason: "ETAG_MISMATCH",
    });
    expect(await outcomes(secret)).toEqual([VALID]);
  });

  it("keeps every secret that it ever made apart: each stops when it was to", async () => {
    const { key, secret, outcomes } = await newKey();
    const secrets = [secret];
    for (let turn = 0; turn < 6; turn++) {
      secrets.push((await home.clavis.keys.rotate(key.id, { overlap: { minutes: 10 } })).secret);
      time.advance(2 * MINUTE);
    }
    // The turns were at 0, 2, ... 10 minutes; now it is 12, and what was rotated at 0 and 2 minutes has had its ten.
    expect(secrets).toHaveLength(7);
    expect(await outcomes(...secrets)).toEqual([ROTATED, ROTATED, VALID, VALID, VALID, VALID, VALID]);
  });
});

describe("CompleteRotation", () => {
  it("ends an overlap now, of all secrets that were before", async () => {
    const { key, secret: first, outcomes } = await newKey();
    const { secret: second } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    const { secret: third } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 2 } });
    const completed = await home.clavis.keys.completeRotation(key.id);
    expect(completed.key.rotation).toBeUndefined();
    expect(dateOf(completed.effectiveTime)).toEqual(time.date());
    expect(await outcomes(first, second, third)).toEqual([ROTATED, ROTATED, VALID]);
  });

  it("changes nothing where there is no overlap: never was, is over, is completed", async () => {
    const { key } = await newKey();
    expect((await home.clavis.keys.completeRotation(key.id)).key).toEqual(key);
    const rotated = await home.clavis.keys.rotate(key.id, { overlap: { minutes: 1 } });
    time.advance(MINUTE);
    expect((await home.clavis.keys.completeRotation(key.id)).key.etag).toBe(rotated.key.etag);
    await home.clavis.keys.rotate(key.id, { overlap: { minutes: 1 } });
    const once = await home.clavis.keys.completeRotation(key.id);
    time.advance(1);
    expect((await home.clavis.keys.completeRotation(key.id)).key).toEqual(once.key);
  });

  it("heeds the etag, and refuses a revoked key", async () => {
    const { key, secret, outcomes } = await newKey();
    await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    const stale = home.clavis.keys.completeRotation(key.id, { etag: key.etag });
    await expect(stale).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    expect(await outcomes(secret)).toEqual([VALID]);
    await home.clavis.keys.revoke(key.id);
    await expect(home.clavis.keys.completeRotation(key.id)).rejects.toMatchObject({
      reason: "KEY_STATE_CONFLICT",
      facts: { state: "revoked" },
    });
    expect(await outcomes(secret)).toEqual([REVOKED]);
  });
});

async function newKey(init?: KeyInit) {
  const { id: keyspaceId } = await home.newKeyspace();
  const outcomes = (...secrets: string[]) => Promise.all(secrets.map((secret) => home.outcomeOf(secret, keyspaceId)));
  return { ...(await home.newKey(keyspaceId, init)), outcomes };
}

function dateOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
