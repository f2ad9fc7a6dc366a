import { KeyState, Outcome } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const MINUTE = 60 * 1000;
const rejected = { reason: "CREDENTIAL_REJECTED", code: "UNAUTHENTICATED" };

describe("a management key", () => {
  it("does what its permissions say, and is told which one it lacks", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const { key, secret } = await home.newKey(keyspaceId);
    const { clavis } = await home.newManagementKey({ permissions: ["clavis.keys.read", "clavis.verify"] });
    expect((await clavis.keys.get(key.id)).key).toEqual(key);
    expect((await clavis.verify({ secret, keyspaceId })).outcome).toBe(Outcome.VALID);
    const lacking: [string, () => Promise<unknown>][] = [
      ["clavis.keys.create", () => clavis.keys.create({ keyspaceId, displayName: "x" })],
      ["clavis.keys.create", () => clavis.keys.batchCreate({ keyspaceId, keys: [{ displayName: "x" }] })],
      ["clavis.keys.import", () => clavis.keys.import({ keyspaceId, keys: [anImport()] })],
      ["clavis.keys.update", () => clavis.keys.update(key.id, { displayName: "x" })],
      ["clavis.keys.update", () => clavis.keys.disable(key.id)],
      ["clavis.keys.update", () => clavis.keys.enable(key.id)],
      ["clavis.keys.rotate", () => clavis.keys.rotate(key.id)],
      ["clavis.keys.rotate", () => clavis.keys.completeRotation(key.id)],
      ["clavis.keys.revoke", () => clavis.keys.revoke(key.id)],
      ["clavis.keys.revoke", () => clavis.keys.batchRevoke({ keyspaceId, filter: {} })],
      ["clavis.keys.revoke", () => clavis.keys.batchRevoke({ keyspaceId, filter: {}, dryRun: true })],
      ["clavis.keys.delete", () => clavis.keys.delete(key.id)],
      ["clavis.keyspaces.create", () => clavis.keyspaces.create({ displayName: "x", prefix: "ab" })],
      ["clavis.keyspaces.read", () => clavis.keyspaces.get(keyspaceId)],
      ["clavis.keyspaces.read", () => clavis.keyspaces.list().page()],
      ["clavis.keyspaces.update", () => clavis.keyspaces.update(keyspaceId, { disabled: true })],
      ["clavis.keyspaces.delete", () => clavis.keyspaces.delete(keyspaceId)],
      ["clavis.audit.read", () => clavis.audit.list().page()],
    ];
    for (const [permission, call] of lacking) {
      await expect(call(), permission).rejects.toMatchObject({
        reason: "PERMISSION_MISSING",
        code: "PERMISSION_DENIED",
        facts: { permission },
      });
    }
    expect((await home.clavis.keys.get(key.id)).key).toEqual(key);
  });

  it("that is held to a keyspace finds nothing of the others", async () => {
    const [mine, other] = [await home.newKeyspace(), await home.newKeyspace()];
    const [inside, outside] = [await home.newKey(mine.id), await home.newKey(other.id)];
    const { clavis } = await home.newManagementKey({ permissions: ["clavis.*"], allowedKeyspaceIds: [mine.id] });

    expect((await clavis.keys.list({ pageSize: 200 }).page()).items.map(({ id }) => id)).toEqual([inside.key.id]);
    expect((await clavis.keyspaces.get(mine.id)).keyspace).toEqual(mine);
    expect((await clavis.verify({ secret: inside.secret, keyspaceId: mine.id })).outcome).toBe(Outcome.VALID);
    // Not even that a secret is of another keyspace.
    const stranger = await clavis.verify({ secret: outside.secret, keyspaceId: mine.id });
    expect(stranger.outcome).toBe(Outcome.NOT_FOUND);
    const unseen: [string, () => Promise<unknown>][] = [
      ["KEYSPACE_NOT_FOUND", () => clavis.keyspaces.get(other.id)],
      ["KEYSPACE_NOT_FOUND", () => clavis.keyspaces.update(other.id, { disabled: true })],
      ["KEYSPACE_NOT_FOUND", () => clavis.keys.create({ keyspaceId: other.id, displayName: "x" })],
      ["KEYSPACE_NOT_FOUND", () => clavis.keys.list({ keyspaceId: other.id }).page()],
      ["KEYSPACE_NOT_FOUND", () => clavis.verify({ secret: outside.secret, keyspaceId: other.id })],
      ["KEY_NOT_FOUND", () => clavis.keys.get(outside.key.id)],
      ["KEY_NOT_FOUND", () => clavis.keys.revoke(outside.key.id)],
      ["KEY_NOT_FOUND", () => clavis.keys.rotate(outside.key.id)],
      ["PERMISSION_MISSING", () => clavis.keyspaces.create({ displayName: "x", prefix: "ab" })],
    ];
    for (const [reason, call] of unseen) await expect(call(), reason).rejects.toMatchObject({ reason });
  });

  it("is nobody's key to verify: as if it did not exist", async () => {
    const { secret } = await home.newManagementKey();
    const { id: keyspaceId } = await home.newKeyspace();
    for (const id of [keyspaceId, home.managementKeyspaceId]) {
      const answer = await home.clavis.verify({ secret, keyspaceId: id });
      expect(answer).toMatchObject({ outcome: Outcome.NOT_FOUND });
      expect(answer.key).toBeUndefined();
    }
  });

  it("opens until the millisecond before its end, and from its beginning on", async () => {
    const init = { notBeforeTime: time.date(MINUTE), expireTime: time.date(2 * MINUTE) };
    const { clavis } = await home.newManagementKey(init);
    const list = () => clavis.keyspaces.list().page();
    time.advance(MINUTE - 1);
    await expect(list()).rejects.toMatchObject(rejected);
    time.advance(1);
    await list();
    time.advance(MINUTE - 1);
    await list();
    time.advance(1);
    await expect(list()).rejects.toMatchObject(rejected);
  });

  it.each([
    [["203.0.113.0/24", "2001:db8::/32"], false],
    [["203.0.113.0/24", "127.0.0.1"], true],
    [["::ffff:127.0.0.1"], true],
    [["::1"], false],
  ])("opens from its addresses alone: %j", async (allowedAddresses, opens) => {
    const { clavis } = await home.newManagementKey({ allowedAddresses });
    const list = clavis.keyspaces.list().page();
    if (opens) await list;
    else await expect(list).rejects.toMatchObject(rejected);
  });

  it("opens nothing while it is off, nor once it is revoked or rotated away", async () => {
    const { key, clavis } = await home.newManagementKey();
    const list = () => clavis.keyspaces.list().page();
    await home.clavis.keys.disable(key.id);
    await expect(list()).rejects.toMatchObject(rejected);
    await home.clavis.keys.enable(key.id);
    await list();
    const { secret } = await home.clavis.keys.rotate(key.id, { overlap: { minutes: 1 } });
    await list();
    time.advance(MINUTE);
    await expect(list()).rejects.toMatchObject(rejected);
    const young = home.clientFor(secret);
    await young.keyspaces.list().page();
    await home.clavis.keys.revoke(key.id);
    await expect(young.keyspaces.list().page()).rejects.toMatchObject(rejected);
  });

  it("holds no permission but Clavis's own", async () => {
    await expect(
      home.newManagementKey({ permissions: ["clavis.verify", "documents.read", "*"] }),
    ).rejects.toMatchObject({
      reason: "PERMISSION_NOT_GRANTABLE",
      facts: { permissions: "documents.read,*" },
    });
  });

  it("passes on no more than it holds, and is told what goes beyond", async () => {
    const [mine, other] = [await home.newKeyspace(), await home.newKeyspace()];
    const { clavis } = await home.newManagementKey({
      permissions: ["clavis.management_keys.*", "clavis.keys.*"],
      allowedKeyspaceIds: [mine.id],
      allowedAddresses: ["127.0.0.0/8"],
      expireTime: time.date(10 * MINUTE),
    });
    const keyspaceId = home.managementKeyspaceId;
    const within = {
      keyspaceId,
      displayName: "x",
      permissions: ["clavis.keys.read"],
      allowedKeyspaceIds: [mine.id],
      allowedAddresses: ["127.0.0.1"],
      expireTime: time.date(10 * MINUTE),
    };
    expect((await clavis.keys.create(within)).key.state).toBe(KeyState.ACTIVE);
    const excesses: [string, object][] = [
      ["clavis.verify", { permissions: ["clavis.keys.read", "clavis.verify"] }],
      ["clavis.*", { permissions: ["clavis.*"] }],
      ["allowed_keyspace_ids", { allowedKeyspaceIds: [] }],
      [other.id, { allowedKeyspaceIds: [mine.id, other.id] }],
      ["allowed_addresses", { allowedAddresses: [] }],
      ["126.0.0.0/7", { allowedAddresses: ["126.0.0.0/7"] }],
      ["expire_time", { expireTime: undefined }],
      ["expire_time", { expireTime: time.date(10 * MINUTE + 1) }],
      ["clavis.verify,allowed_addresses", { permissions: ["clavis.verify"], allowedAddresses: [] }],
    ];
    for (const [excess, wider] of excesses) {
      await expect(clavis.keys.create({ ...within, ...wider }), excess).rejects.toMatchObject({
        reason: "GRANT_EXCEEDS_CALLER",
        code: "PERMISSION_DENIED",
        facts: { excess },
      });
    }
    const { key } = await clavis.keys.create(within);
    await expect(clavis.keys.update(key.id, { permissions: ["clavis.*"] })).rejects.toMatchObject({
      reason: "GRANT_EXCEEDS_CALLER",
    });
    // Its maker sees the new key, but neither itself's elders nor whom it may not reach.
    await expect(clavis.keys.get(home.managementKeyId)).rejects.toMatchObject({ reason: "KEY_NOT_FOUND" });
    await expect(clavis.keys.rotate(home.managementKeyId)).rejects.toMatchObject({ reason: "KEY_NOT_FOUND" });
  });
});

describe("the last management key", () => {
  it("is neither revoked nor switched off unless forced", async () => {
    await using tenant = await openTenantHome(service);
    const { clavis, managementKeyId, managementKeyspaceId } = tenant;
    const last = { reason: "LAST_MANAGEMENT_KEY", code: "FAILED_PRECONDITION", facts: { key_id: managementKeyId } };
    await expect(clavis.keys.revoke(managementKeyId)).rejects.toMatchObject(last);
    await expect(clavis.keys.disable(managementKeyId)).rejects.toMatchObject(last);
    const all = { keyspaceId: managementKeyspaceId, filter: {} };
    await expect(clavis.keys.batchRevoke(all)).rejects.toMatchObject(last);
    expect((await clavis.keys.batchRevoke({ ...all, dryRun: true })).keyIds).toEqual([managementKeyId]);
    await clavis.keys.disable(managementKeyId, { force: true });
    await expect(clavis.keyspaces.list().page()).rejects.toMatchObject(rejected);
  });

  it.each([
    ["is off", {}, "disable"],
    ["has expired", { ttl: { seconds: 1 } }, "wait"],
    ["is not valid yet", { notBeforeTime: new Date(8e12) }, "nothing"],
    ["is revoked", {}, "revoke"],
  ] as const)("is the last also beside one that %s", async (_, init, trouble) => {
    await using tenant = await openTenantHome(service);
    const { key } = await tenant.newManagementKey(init);
    if (trouble === "disable") await tenant.clavis.keys.disable(key.id);
    if (trouble === "revoke") await tenant.clavis.keys.revoke(key.id);
    time.advance(1000);
    await expect(tenant.clavis.keys.revoke(tenant.managementKeyId)).rejects.toMatchObject({
      reason: "LAST_MANAGEMENT_KEY",
    });
  });

  it("is not there yet while another one lives", async () => {
    await using tenant = await openTenantHome(service);
    const second = await tenant.newManagementKey();
    await second.clavis.keys.revoke(tenant.managementKeyId);
    await expect(second.clavis.keys.revoke(second.key.id)).rejects.toMatchObject({ reason: "LAST_MANAGEMENT_KEY" });
  });

  it("goes with a batch that would leave none, and with force the batch takes all", async () => {
    await using tenant = await openTenantHome(service);
    for (let index = 0; index < 3; index++) await tenant.newManagementKey();
    const all = { keyspaceId: tenant.managementKeyspaceId, filter: {} };
    await expect(tenant.clavis.keys.batchRevoke(all)).rejects.toMatchObject({ reason: "LAST_MANAGEMENT_KEY" });
    const three = await tenant.clavis.keys.batchRevoke({ ...all, filter: { text: "CI" } });
    expect(three.keyIds).toHaveLength(3);
    expect((await tenant.clavis.keys.batchRevoke({ ...all, force: true })).keyIds).toEqual([tenant.managementKeyId]);
  });

  it("stays when two revoke each other at the same time", async () => {
    for (let round = 0; round < 5; round++) {
      await using tenant = await openTenantHome(service);
      const second = await tenant.newManagementKey();
      const results = await Promise.allSettled([
        tenant.clavis.keys.revoke(second.key.id),
        second.clavis.keys.revoke(tenant.managementKeyId),
      ]);
      const outcomes = results.map((result) => (result.status === "rejected" ? result.reason.reason : "revoked"));
      expect(outcomes.filter((outcome) => outcome === "revoked")).toHaveLength(1);
      const living = await Promise.allSettled([tenant, second].map(({ clavis }) => clavis.keyspaces.list().page()));
      expect(living.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });
});

function anImport() {
  return { digest: "ab".repeat(32), spec: { displayName: "x" } };
}
