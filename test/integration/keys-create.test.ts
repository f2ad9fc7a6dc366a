import { type CreateKeyInput, durationMs, KeyState, Outcome, type Timestamp, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { setUpHome } from "../harness/tenant-home.ts";

const { time, home } = await setUpHome();
const DAY = 24 * 60 * 60 * 1000;

describe("CreateKey", () => {
  it("makes a key of every field that can be given, and GetKey gives it back", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const metadata = { plan: "pro", seats: 3, trial: false, tags: ["a", { b: null }], nothing: null };
    const { key, secret } = await home.clavis.keys.create({
      keyspaceId,
      displayName: "CI é 🗝",
      permissions: ["documents.*", "billing.read"],
      expireTime: time.date(30 * DAY),
      notBeforeTime: time.date(DAY),
      allowedAddresses: ["192.0.2.0/24", "2001:db8::1"],
      metadata,
      ownerId: "customer-7",
    });

    expect(secret).toMatch(/^acme_live_[0-9A-Za-z]{49}$/);
    expect(key).toMatchObject({
      id: expect.stringMatching(/^key_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      keyspaceId,
      displayName: "CI é 🗝",
      maskedSecret: `${secret.slice(0, "acme_live_".length + 4)}...${secret.slice(-4)}`,
      state: KeyState.NOT_YET_VALID,
      ownerId: "customer-7",
      permissions: ["documents.*", "billing.read"],
      allowedKeyspaceIds: [],
      allowedAddresses: ["192.0.2.0/24", "2001:db8::1/128"],
      metadata,
      imported: false,
      etag: expect.stringMatching(/^".+"$/),
    });
    expect(key.rotation).toBeUndefined();
    expect(key.revocation).toBeUndefined();
    expect(dateOf(key.expireTime)).toEqual(time.date(30 * DAY));
    expect(dateOf(key.notBeforeTime)).toEqual(time.date(DAY));
    for (const moment of [key.createTime, key.updateTime, key.secretCreateTime])
      expect(dateOf(moment)).toEqual(time.date());
    expect((await home.clavis.keys.get(key.id)).key).toEqual(key);
  });

  it("asks for no more than a name and a keyspace", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { key, secret } = await home.clavis.keys.create({ keyspaceId, displayName: "x" });
    expect(key).toMatchObject({ state: KeyState.ACTIVE, ownerId: "", permissions: [], allowedAddresses: [] });
    expect(key.metadata ?? {}).toEqual({});
    expect([key.expireTime, key.notBeforeTime, key.rotation, key.revocation]).toEqual(Array(4).fill(undefined));
    expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.VALID);
  });

  it("gives times to the millisecond, cutting off what is finer", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const second = BigInt(Math.floor(time.now() / 1000) + 100);
    const expireTime = { $typeName: "google.protobuf.Timestamp" as const, seconds: second, nanos: 7_999_999 };
    const { key } = await home.newKey(keyspaceId, { expireTime });
    expect(key.expireTime).toMatchObject({ seconds: second, nanos: 7_000_000 });
  });

  it.each<[string, string, Omit<Partial<CreateKeyInput>, "keyspaceId">]>([
    ["an empty name", "display_name", { displayName: "" }],
    ["a name of 121 characters", "display_name", { displayName: "x".repeat(121) }],
    ["a NUL in a name", "display_name", { displayName: "a\0b" }],
    ["what is no permission", "permissions[1]", { permissions: ["a.b", "A b"] }],
    ["a wildcard in the middle", "permissions[0]", { permissions: ["a.*.b"] }],
    ["the same permission twice", "permissions", { permissions: ["a", "a"] }],
    ["201 permissions", "permissions", { permissions: Array.from({ length: 201 }, (_, index) => `p${index}`) }],
    ["what is no network", "allowed_addresses[0]", { allowedAddresses: ["example.com"] }],
    ["bits after a prefix", "allowed_addresses[0]", { allowedAddresses: ["192.0.2.7/24"] }],
    ["metadata over 4 KiB", "metadata", { metadata: { text: "x".repeat(4096) } }],
    ["metadata nested 5 deep", "metadata", { metadata: { a: { b: { c: { d: {} } } } } }],
    ["an owner of 129 characters", "owner_id", { ownerId: "x".repeat(129) }],
    ["a scope for a customer's key", "allowed_keyspace_ids", { allowedKeyspaceIds: [`ks_${"0".repeat(26)}`] }],
    ["a time before 1970", "expire_time", { expireTime: new Date(-1) }],
    ["a lifetime of less than a second", "ttl", { ttl: { milliseconds: 999 } }],
    ["a start at the end", "not_before_time", { expireTime: time.date(DAY), notBeforeTime: time.date(DAY) }],
  ])("refuses %s", async (_, field, init) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const creation = home.newKey(keyspaceId, init);
    await expect(creation).rejects.toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field }] });
    expect(await countKeys(keyspaceId)).toBe(0);
  });

  it("names each field that is wrong", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const creation = home.newKey(keyspaceId, { displayName: "", ownerId: "x".repeat(129), permissions: ["a", "a"] });
    await expect(creation).rejects.toMatchObject({
      violations: [{ field: "display_name" }, { field: "permissions" }, { field: "owner_id" }],
    });
  });

  it("takes metadata up to its very limits", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const metadata = { a: { b: { c: "deep" } }, text: "" };
    metadata.text = "x".repeat(4096 - Buffer.byteLength(JSON.stringify(metadata)));
    expect((await home.newKey(keyspaceId, { metadata })).key.metadata).toEqual(metadata);
  });

  it("needs a keyspace that is there", async () => {
    const keyspaceId = `ks_${"0".repeat(26)}`;
    await expect(home.newKey(keyspaceId)).rejects.toMatchObject({
      reason: "KEYSPACE_NOT_FOUND",
      facts: { keyspace_id: keyspaceId },
    });
  });

  it("grants what the keyspace lets, and names what it does not", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ grantablePermissions: ["documents.*", "billing.read"] });
    const { key } = await home.newKey(keyspaceId, { permissions: ["documents.drafts.*", "billing.read"] });
    expect(key.permissions).toEqual(["documents.drafts.*", "billing.read"]);
    const beyond = home.newKey(keyspaceId, { permissions: ["documents.read", "billing.write", "*"] });
    await expect(beyond).rejects.toMatchObject({
      reason: "PERMISSION_NOT_GRANTABLE",
      facts: { permissions: "billing.write,*" },
      violations: [{ field: "permissions" }],
    });
  });
});

describe("a keyspace's expiry policy", () => {
  it.each<[string, { defaultTtl?: number; maxTtl?: number }, number | undefined]>([
    ["without one, never", {}, undefined],
    ["with a default, after that", { defaultTtl: 10 }, 10],
    ["with a maximum alone, after that", { maxTtl: 20 }, 20],
    ["with both, after the default", { defaultTtl: 10, maxTtl: 20 }, 10],
  ])("ends a key that asks for nothing: %s", async (_, { defaultTtl, maxTtl }, days) => {
    const { id: keyspaceId } = await home.newKeyspace({
      defaultTtl: defaultTtl === undefined ? undefined : { days: defaultTtl },
      maxTtl: maxTtl === undefined ? undefined : { days: maxTtl },
    });
    const { key } = await home.newKey(keyspaceId);
    expect(dateOf(key.expireTime)).toEqual(days === undefined ? undefined : time.date(days * DAY));
  });

  it.each([
    ["a lifetime", { ttl: { days: 20 } }],
    ["a time", { expireTime: time.date(20 * DAY) }],
  ])("takes the maximum itself, as %s, and not a millisecond more", async (_, init) => {
    const { id: keyspaceId } = await home.newKeyspace({ maxTtl: { days: 20 } });
    expect(dateOf((await home.newKey(keyspaceId, init)).key.expireTime)).toEqual(time.date(20 * DAY));
    const [field, more] =
      "ttl" in init
        ? ["ttl", { ttl: { days: 20, milliseconds: 1 } }]
        : ["expire_time", { expireTime: time.date(20 * DAY + 1) }];
    await expect(home.newKey(keyspaceId, more)).rejects.toMatchObject({
      reason: "EXPIRY_OUTSIDE_POLICY",
      facts: { latest: time.date(20 * DAY).toISOString() },
      violations: [{ field }],
    });
  });

  it("is no reason for an end that has passed", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    await expect(home.newKey(keyspaceId, { expireTime: time.date() })).rejects.toMatchObject({
      reason: "EXPIRY_OUTSIDE_POLICY",
      facts: {},
    });
    const { key } = await home.newKey(keyspaceId, { expireTime: time.date(1) });
    expect(dateOf(key.expireTime)).toEqual(time.date(1));
  });

  it("counts a lifetime from the key's creation", async () => {
    const { id: keyspaceId, defaultTtl } = await home.newKeyspace({ defaultTtl: { seconds: 1 } });
    expect(defaultTtl && durationMs(defaultTtl)).toBe(1000);
    const { secret } = await home.newKey(keyspaceId);
    time.advance(999);
    expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.VALID);
    time.advance(1);
    expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.EXPIRED);
  });
});

describe("allowed addresses", () => {
  it("are kept in one form, each once", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { key } = await home.newKey(keyspaceId, {
      allowedAddresses: ["2001:0DB8:0:0::/64", "192.0.2.1", "::ffff:192.0.2.1", "::ffff:10.0.0.0/104", "192.0.2.1/32"],
    });
    expect(key.allowedAddresses).toEqual(["2001:db8::/64", "192.0.2.1/32", "10.0.0.0/8"]);
  });

  it.each([
    ["192.0.2.200", Outcome.VALID],
    ["::ffff:192.0.2.200", Outcome.VALID],
    ["192.0.3.1", Outcome.ADDRESS_DENIED],
    ["2001:db8::ff", Outcome.VALID],
    ["2001:DB8:0:0:0:0:0:FF", Outcome.VALID],
    ["2001:db8:0:1::1", Outcome.ADDRESS_DENIED],
    [undefined, Outcome.ADDRESS_DENIED],
  ])("admit or deny %s", async (clientIp, outcome) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { secret } = await home.newKey(keyspaceId, { allowedAddresses: ["192.0.2.0/24", "2001:db8::/64"] });
    expect(await home.outcomeOf(secret, keyspaceId, { clientIp })).toBe(outcome);
  });

  it("are nobody's business where there are none", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { secret } = await home.newKey(keyspaceId);
    expect(await home.outcomeOf(secret, keyspaceId, { clientIp: "203.0.113.9" })).toBe(Outcome.VALID);
  });
});

async function countKeys(keyspaceId: string): Promise<number> {
  return (await home.clavis.keys.list({ keyspaceId }).page()).items.length;
}

function dateOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
