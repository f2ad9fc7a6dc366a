import { createHash, randomBytes, randomUUID } from "node:crypto";
import {
  type Clavis,
  ClavisError,
  createClavis,
  KeyState,
  Outcome,
  RevocationMode,
  RevokeReason,
  timestampDate,
  timestampMs,
} from "@clavis/sdk";
import { createClavis as createWebClavis } from "@clavis/sdk/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestService, type TestService, type TestTenant } from "../harness/service.ts";

const resources = new AsyncDisposableStack();
let service: TestService;
let tenant: TestTenant;
let clavis: Clavis;

beforeAll(async () => {
  service = resources.use(await openTestService());
  tenant = await service.newTenant();
  clavis = resources.use(createClavis({ baseUrl: service.url, token: tenant.token }));
});

afterAll(() => resources.disposeAsync());

describe("keyspaces", () => {
  it("live from create to delete", async () => {
    const { keyspace } = await clavis.keyspaces.create({ displayName: "A", prefix: "life", maxTtl: { days: 90 } });
    expect(await clavis.keyspaces.get(keyspace.id)).toMatchObject({ keyspace });
    const changes = { displayName: "B", maxTtl: null, defaultTtl: { hours: 1 } };
    const updated = await clavis.keyspaces.update(keyspace.id, changes, { etag: keyspace.etag });
    expect(updated.keyspace).toMatchObject({ displayName: "B", prefix: "life", defaultTtl: { seconds: 3_600n } });
    expect(updated.keyspace.maxTtl).toBeUndefined();
    const stale = clavis.keyspaces.update(keyspace.id, { displayName: "C" }, { etag: keyspace.etag });
    await expect(stale).rejects.toMatchObject({ reason: "ETAG_MISMATCH", code: "ABORTED", retryable: false });
    const { keyspace: strict } = await clavis.keyspaces.update(keyspace.id, { revocationMode: RevocationMode.STRICT });
    const { AVAILABLE, STRICT } = RevocationMode;
    const modes = [keyspace, updated.keyspace, strict].map(({ revocationMode }) => revocationMode);
    expect(modes).toEqual([AVAILABLE, AVAILABLE, STRICT]);
    await clavis.keyspaces.delete(keyspace.id);
    await expect(clavis.keyspaces.get(keyspace.id)).rejects.toMatchObject({ reason: "KEYSPACE_NOT_FOUND" });
  });
});

describe("keys", () => {
  it("live from create to delete", async () => {
    const keyspaceId = await aKeyspace();
    const expireTime = new Date(Date.now() + 86_400_000);
    const { key, secret } = await clavis.keys.create({
      keyspaceId,
      displayName: "CI",
      permissions: ["a.b"],
      expireTime,
    });
    expect(key.expireTime && timestampDate(key.expireTime)).toEqual(expireTime);
    const ask = async (presented = secret) => (await clavis.verify({ secret: presented, keyspaceId })).outcome;
    expect(await ask()).toBe(Outcome.VALID);

    await clavis.keys.update(key.id, { ownerId: "customer-7", metadata: { plan: "pro" } });
    expect((await clavis.verify({ secret, keyspaceId })).key).toMatchObject({
      ownerId: "customer-7",
      metadata: { plan: "pro" },
    });
    await clavis.keys.disable(key.id);
    expect(await ask()).toBe(Outcome.DISABLED);
    await clavis.keys.enable(key.id);
    const rotated = await clavis.keys.rotate(key.id, { overlap: { minutes: 5 } });
    expect([await ask(), await ask(rotated.secret)]).toEqual([Outcome.VALID, Outcome.VALID]);
    await clavis.keys.completeRotation(key.id);
    expect([await ask(), await ask(rotated.secret)]).toEqual([Outcome.ROTATED, Outcome.VALID]);
    const revoked = await clavis.keys.revoke(key.id, { reason: RevokeReason.COMPROMISED, maxWait: { seconds: 0 } });
    expect(revoked.key).toMatchObject({ state: KeyState.REVOKED, revocation: { reason: RevokeReason.COMPROMISED } });
    expect(timestampMs(revoked.effectiveTime)).toBeGreaterThan(0);
    await clavis.keys.delete(key.id);
    expect(await ask(rotated.secret)).toBe(Outcome.NOT_FOUND);
  });

  it("are made once per request id", async () => {
    const request = { keyspaceId: await aKeyspace(), displayName: "CI", requestId: randomUUID() };
    const [first, second] = [await clavis.keys.create(request), await clavis.keys.create(request)];
    expect([second.key.id, second.secret]).toEqual([first.key.id, first.secret]);
    const reused = clavis.keys.create({ ...request, displayName: "another" });
    await expect(reused).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });

  it("come, go and are listed in numbers", async () => {
    const keyspaceId = await aKeyspace();
    const specs = Array.from({ length: 5 }, (_, index) => ({ displayName: `key ${index}`, ttl: { days: 1 } }));
    const created = await clavis.keys.batchCreate({ keyspaceId, keys: specs });
    expect(new Set(created.map(({ secret }) => secret)).size).toBe(5);

    const legacy = randomBytes(20).toString("hex");
    const digest = createHash("sha256").update(legacy).digest("hex");
    const imported = await clavis.keys.import({ keyspaceId, keys: [{ digest, spec: { displayName: "legacy" } }] });
    expect(imported.keys).toHaveLength(1);
    expect((await clavis.verify({ secret: legacy, keyspaceId })).outcome).toBe(Outcome.VALID);

    const names = [];
    for await (const key of clavis.keys.list({ keyspaceId, orderBy: "display_name", pageSize: 2 }))
      names.push(key.displayName);
    expect(names).toEqual(["key 0", "key 1", "key 2", "key 3", "key 4", "legacy"]);
    const page = await clavis.keys.list({ keyspaceId, pageSize: 4 }).page();
    const rest = await clavis.keys.list({ keyspaceId, pageSize: 4, pageToken: page.nextPageToken }).page();
    expect([page.items.length, rest.items.length, rest.nextPageToken]).toEqual([4, 2, ""]);

    const secrets = created.map(({ secret }) => secret);
    const dryRun = await clavis.keys.batchRevoke({ keyspaceId, filter: {}, dryRun: true });
    expect([dryRun.keyIds.length, dryRun.effectiveTime]).toEqual([6, undefined]);
    await clavis.keys.batchRevoke({ keyspaceId, filter: { text: "KEY" } });
    const answers = await clavis.batchVerify(
      [legacy, "not a secret", ...secrets].map((secret) => ({ secret, keyspaceId })),
    );
    const outcomes = answers.map((answer) => (answer instanceof ClavisError ? answer.reason : answer.outcome));
    expect(outcomes).toEqual([Outcome.VALID, Outcome.MALFORMED, ...Array(5).fill(Outcome.REVOKED)]);
  });
});

describe("verify", () => {
  it("asks for permissions and conditions on them", async () => {
    const keyspaceId = await aKeyspace();
    const { secret } = await clavis.keys.create({ keyspaceId, displayName: "CI", permissions: ["documents.*"] });
    const query = { allOf: [{ permission: "documents.read" }, { anyOf: [{ permission: "a" }, { permission: "b" }] }] };
    const refused = await clavis.verify({ secret, keyspaceId, permissions: ["documents.write"], query });
    expect(refused).toMatchObject({ outcome: Outcome.INSUFFICIENT_PERMISSIONS, missingPermissions: ["a"] });
    const granted = { anyOf: [{ permission: "a" }, { permission: "documents.read" }] };
    expect((await clavis.verify({ secret, keyspaceId, query: granted })).outcome).toBe(Outcome.VALID);
  });
});

describe("the rest", () => {
  it("knows itself, and can end itself", async () => {
    const keyspaceId = await aKeyspace();
    const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: "leaked" });
    await using holder = createClavis({ baseUrl: service.url, token: secret });
    expect(await holder.self.get()).toMatchObject({
      key: { id: key.id },
      tenantId: tenant.tenantId,
      management: false,
    });
    expect((await holder.self.revoke({ reason: RevokeReason.COMPROMISED })).key.state).toBe(KeyState.REVOKED);
    await expect(holder.self.get()).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED", code: "UNAUTHENTICATED" });
  });

  it("manages tenants as the operator", async () => {
    await using operator = createClavis({ baseUrl: service.url, token: service.operatorToken });
    const { tenant: other } = await operator.tenants.create({ displayName: "Other" });
    expect((await operator.tenants.get(other.id)).tenant.displayName).toBe("Other");
    expect((await operator.tenants.update(other.id, { suspended: true })).tenant.suspended).toBe(true);
    const { secret } = await operator.tenants.createManagementKey({ tenantId: other.id, displayName: "back in" });
    expect(secret).not.toBe("");
    const ids = [];
    for await (const { id } of operator.tenants.list({ pageSize: 1 })) ids.push(id);
    expect(ids).toEqual(expect.arrayContaining([other.id, tenant.tenantId]));
  });

  it("reads what was done", async () => {
    const keyspaceId = await aKeyspace();
    const { key } = await clavis.keys.create({ keyspaceId, displayName: "CI" });
    const { items } = await clavis.audit.list({ targetId: key.id, afterTime: new Date(Date.now() - 60_000) }).page();
    expect(items).toMatchObject([{ type: "key.created", actor: { id: tenant.managementKeyId } }]);
  });

  it("tells errors with their facts and where to look", async () => {
    const missing = clavis.keys.get("key_0123456789abcdefghjkmnpqrs");
    await expect(missing).rejects.toMatchObject({
      reason: "KEY_NOT_FOUND",
      code: "NOT_FOUND",
      facts: { key_id: "key_0123456789abcdefghjkmnpqrs" },
      callId: expect.stringMatching(/./),
      retryable: false,
    });
    const invalid = clavis.keys.create({ keyspaceId: "nonsense", displayName: "" });
    await expect(invalid).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: expect.arrayContaining([expect.objectContaining({ field: "display_name" })]),
    });
  });

  it("answers clients for browsers alike", async () => {
    await using web = createWebClavis({ baseUrl: service.url, token: tenant.token });
    expect((await web.self.get()).key.id).toBe(tenant.managementKeyId);
    await expect(web.keyspaces.get("nonsense")).rejects.toMatchObject({ reason: "INVALID_REQUEST" });
  });
});

async function aKeyspace(): Promise<string> {
  return (await clavis.keyspaces.create({ displayName: "Documents", prefix: "acme_live" })).keyspace.id;
}
