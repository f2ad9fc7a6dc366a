import { hash, randomBytes } from "node:crypto";
import { KeyState, Outcome, RevokeReason, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { type IssuedKey, type KeyInit, openTenantHome, setUpHome, type TenantHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const operator = home.clientFor(service.operatorToken);
const rejected = { reason: "CREDENTIAL_REJECTED", code: "UNAUTHENTICATED", message: "no valid credential", facts: {} };

/** Ways in which a secret can be no good, and whether its bearer may end the key all the same. */
const troubles: [string, KeyInit, (issued: IssuedKey, tenant: TenantHome) => unknown, "finder" | "nobody"][] = [
  ["switched off", {}, ({ key }, { clavis }) => clavis.keys.disable(key.id), "finder"],
  ["not yet valid", { notBeforeTime: new Date(8e12) }, () => {}, "finder"],
  ["expired", { ttl: { seconds: 1 } }, () => time.advance(1000), "finder"],
  ["used from a forbidden address", { allowedAddresses: ["203.0.113.0/24"] }, () => {}, "finder"],
  ["of a keyspace that is off", {}, ({ key }, tenant) => disableKeyspace(tenant, key.keyspaceId), "finder"],
  ["of a suspended tenant", {}, (_, { tenantId }) => operator.tenants.update(tenantId, { suspended: true }), "finder"],
  ["rotated away", {}, ({ key }, { clavis }) => clavis.keys.rotate(key.id), "nobody"],
  ["deleted", {}, ({ key }, tenant) => deleteKey(tenant, key.id), "nobody"],
];

describe("GetSelf", () => {
  it("shows a customer its key, without any permission", async () => {
    const { key, secret } = await newKey({ metadata: { plan: "pro" }, allowedAddresses: ["127.0.0.0/8"] });
    expect(await home.clientFor(secret).self.get()).toMatchObject({ key, tenantId: home.tenantId, management: false });
  });

  it("shows a management key itself", async () => {
    const { key, secret } = await home.newManagementKey({ permissions: ["clavis.verify"] });
    const self = await home.clientFor(secret).self.get();
    expect(self).toMatchObject({ key, tenantId: home.tenantId, management: true });
  });

  it("shows the key of a secret that was made elsewhere", async () => {
    const secret = `sk-${randomBytes(16).toString("hex")}`;
    const keyId = await importInto(home, secret);
    expect((await home.clientFor(secret).self.get()).key).toMatchObject({ id: keyId, imported: true });
  });

  it("shows the key during a rotation to both secrets", async () => {
    const { key, secret } = await newKey();
    const rotated = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    for (const token of [secret, rotated.secret])
      expect((await home.clientFor(token).self.get()).key).toEqual(rotated.key);
  });

  it.each(troubles)("rejects a secret that is %s, in the same words", async (_, init, spoil) => {
    await using tenant = await openTenantHome(service);
    const issued = await newKey(init, tenant);
    await spoil(issued, tenant);
    await expect(tenant.clientFor(issued.secret).self.get()).rejects.toMatchObject(rejected);
  });

  it.each(["nonsense", `acme_live_${"a".repeat(49)}`, `sk-${"a".repeat(30)}`, "x".repeat(600)])(
    "rejects what is no secret: %s",
    async (token) => {
      await expect(home.clientFor(token).self.get()).rejects.toMatchObject(rejected);
      await expect(home.clientFor(token).self.revoke()).rejects.toMatchObject(rejected);
    },
  );

  it("is for the tenant that made the secret, whoever else claims its digest, and else for the first to claim it", async () => {
    await using other = await openTenantHome(service);
    const { key, secret } = await newKey();
    const squatted = await importInto(other, secret);
    expect((await home.clientFor(secret).self.get()).key.id).toBe(key.id);

    const foreign = `sk-${randomBytes(16).toString("hex")}`;
    const elder = await importInto(other, foreign);
    time.advance(1);
    const younger = await importInto(home, foreign);
    expect((await home.clientFor(foreign).self.get()).key.id).toBe(elder);
    expect(new Set([key.id, squatted, elder, younger]).size).toBe(4);
  });
});

describe("RevokeSelf", () => {
  it("ends the bearer's own key, and says that it was the bearer", async () => {
    const { key, secret } = await newKey();
    const bearer = home.clientFor(secret);
    const wish = { reason: RevokeReason.COMPROMISED, reasonText: "found in a log" };
    const revoked = await bearer.self.revoke(wish);
    expect(revoked.key).toMatchObject({
      id: key.id,
      state: KeyState.REVOKED,
      revocation: { ...wish, actorType: "key", actorId: key.id },
    });
    expect(timestampDate(revoked.effectiveTime)).toEqual(time.date());
    expect(await home.outcomeOf(secret, key.keyspaceId)).toBe(Outcome.REVOKED);
    await expect(bearer.self.get()).rejects.toMatchObject(rejected);

    time.advance(1);
    const again = await bearer.self.revoke({ reason: RevokeReason.OTHER });
    expect(again.key).toEqual(revoked.key);
  });

  it.each(troubles.filter(([, , , who]) => who === "finder"))(
    "works also with a secret that is %s",
    async (_, init, spoil) => {
      await using tenant = await openTenantHome(service);
      const issued = await newKey(init, tenant);
      await spoil(issued, tenant);
      const { key } = await tenant.clientFor(issued.secret).self.revoke();
      expect(key).toMatchObject({ id: issued.key.id, state: KeyState.REVOKED });
    },
  );

  it.each(troubles.filter(([, , , who]) => who === "nobody"))(
    "does not work with a secret that is %s",
    async (_, init, spoil) => {
      await using tenant = await openTenantHome(service);
      const issued = await newKey(init, tenant);
      await spoil(issued, tenant);
      await expect(tenant.clientFor(issued.secret).self.revoke()).rejects.toMatchObject(rejected);
    },
  );

  it("works with the old secret while a rotation's overlap lasts", async () => {
    const { key, secret } = await newKey();
    const { secret: young } = await home.clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
    await home.clientFor(secret).self.revoke();
    for (const one of [secret, young]) expect(await home.outcomeOf(one, key.keyspaceId)).toBe(Outcome.REVOKED);
  });

  it("does not end the last management key unless forced", async () => {
    await using tenant = await openTenantHome(service);
    const last = { reason: "LAST_MANAGEMENT_KEY", facts: { key_id: tenant.managementKeyId } };
    await expect(tenant.clavis.self.revoke()).rejects.toMatchObject(last);
    const second = await tenant.newManagementKey();
    await tenant.clavis.self.revoke();
    await expect(second.clavis.self.revoke()).rejects.toMatchObject({ facts: { key_id: second.key.id } });
    expect((await second.clavis.self.revoke({ force: true })).key.state).toBe(KeyState.REVOKED);
    await expect(second.clavis.keys.list().page()).rejects.toMatchObject(rejected);
  });

  it("refuses a reason that is none and a text that is too long", async () => {
    const { secret } = await newKey();
    const bearer = home.clientFor(secret);
    await expect(bearer.self.revoke({ reason: 77 as RevokeReason })).rejects.toMatchObject({
      violations: [{ field: "reason" }],
    });
    await expect(bearer.self.revoke({ reasonText: "x".repeat(501) })).rejects.toMatchObject({
      violations: [{ field: "reason_text" }],
    });
    expect((await bearer.self.get()).key.state).toBe(KeyState.ACTIVE);
  });
});

describe("a customer's secret", () => {
  it("opens nothing else", async () => {
    const { key, secret } = await newKey({ permissions: ["clavis.keys.read", "*"] });
    const bearer = home.clientFor(secret);
    const calls = [
      () => bearer.keys.get(key.id),
      () => bearer.keyspaces.list().page(),
      () => bearer.audit.list().page(),
      () => bearer.tenants.list().page(),
      () => bearer.verify({ secret, keyspaceId: key.keyspaceId }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(rejected);
  });
});

async function newKey(init?: KeyInit, tenant: TenantHome = home): Promise<IssuedKey> {
  return tenant.newKey((await tenant.newKeyspace()).id, init);
}

async function importInto(tenant: TenantHome, secret: string): Promise<string> {
  const { id: keyspaceId } = await tenant.newKeyspace();
  const digest = hash("sha256", secret, "hex");
  const { keys } = await tenant.clavis.keys.import({ keyspaceId, keys: [{ digest, spec: { displayName: "x" } }] });
  return keys[0]?.id ?? "";
}

async function disableKeyspace({ clavis }: TenantHome, keyspaceId: string): Promise<void> {
  await clavis.keyspaces.update(keyspaceId, { disabled: true });
}

async function deleteKey({ clavis }: TenantHome, keyId: string): Promise<void> {
  await clavis.keys.revoke(keyId);
  await clavis.keys.delete(keyId);
}
