import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { Outcome, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { TenantSchema } from "../../sdk/gen/clavis/v1/tenant_pb.ts";
import { TenantService } from "../../sdk/gen/clavis/v1/tenant_service_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const operator = home.clientFor(service.operatorToken);
const missingId = `ten_${"0".repeat(26)}`;

describe("CreateTenant", () => {
  it("makes a tenant, its reserved keyspace and a first management key that may do everything", async () => {
    const { tenant, managementKey, managementSecret } = await operator.tenants.create({ displayName: "Acme" });
    expect(tenant).toMatchObject({
      id: expect.stringMatching(/^ten_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      displayName: "Acme",
      suspended: false,
      managementKeyspaceId: expect.stringMatching(/^ks_/),
      etag: expect.stringMatching(/^".+"$/),
    });
    for (const moment of [tenant.createTime, tenant.updateTime])
      expect(moment && timestampDate(moment)).toEqual(time.date());
    expect(managementKey).toMatchObject({
      keyspaceId: tenant.managementKeyspaceId,
      permissions: ["clavis.*"],
      allowedKeyspaceIds: [],
    });
    expect(managementKey.expireTime).toBeUndefined();
    expect(managementSecret).toMatch(/^clavis_mgmt_[0-9A-Za-z]{49}$/);

    const clavis = home.clientFor(managementSecret);
    expect(await clavis.self.get()).toMatchObject({ tenantId: tenant.id, management: true, key: managementKey });
    expect((await clavis.keyspaces.list().page()).items.map(({ id }) => id)).toEqual([tenant.managementKeyspaceId]);
    expect((await operator.tenants.get(tenant.id)).tenant).toEqual(tenant);
  });

  it.each(["", "x".repeat(121)])("refuses the name '%s'", async (displayName) => {
    await expect(operator.tenants.create({ displayName })).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "display_name" }],
    });
  });
});

describe("ListTenants", () => {
  it("gives the newest first, page by page, while more come", async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index++) {
      time.advance(1);
      made.push((await operator.tenants.create({ displayName: `${index}` })).tenant.id);
    }
    const seen: string[] = [];
    for await (const { items } of operator.tenants.list({ pageSize: 2 }).pages()) {
      expect(items.length).toBeLessThanOrEqual(2);
      seen.push(...items.map(({ id }) => id));
      time.advance(1);
      await operator.tenants.create({ displayName: "late" });
    }
    expect(seen.slice(0, 5)).toEqual(made.toReversed());
    expect(seen).toContain(home.tenantId);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("refuses a token that it did not make", async () => {
    const { nextPageToken: pageToken } = await operator.tenants.list({ pageSize: 1 }).page();
    expect(pageToken).not.toBe("");
    for (const bad of ["x", pageToken.slice(1), pageToken.slice(0, -2)]) {
      await expect(operator.tenants.list({ pageToken: bad }).page()).rejects.toMatchObject({
        reason: "PAGE_TOKEN_INVALID",
      });
    }
  });
});

describe("UpdateTenant", () => {
  it("suspends each of a tenant's keys, and lets them go on again", async () => {
    await using other = await openTenantHome(service);
    const { id: keyspaceId } = await other.newKeyspace();
    const { secret } = await other.newKey(keyspaceId);
    const ask = () => other.outcomeOf(secret, keyspaceId);
    expect(await ask()).toBe(Outcome.VALID);

    const suspended = await operator.tenants.update(other.tenantId, { suspended: true });
    expect(suspended.tenant.suspended).toBe(true);
    expect(timestampDate(suspended.effectiveTime)).toEqual(time.date());
    // Who verifies hears just that; for all else a management key is then no credential at all.
    expect(await ask()).toBe(Outcome.TENANT_SUSPENDED);
    await expect(other.clavis.keys.list().page()).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });
    await expect(other.clavis.self.get()).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });
    await expect(other.clientFor(secret).self.get()).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });
    expect((await operator.tenants.get(other.tenantId)).tenant).toEqual(suspended.tenant);
    // Others are not concerned.
    expect((await home.clavis.keyspaces.list().page()).items.length).toBeGreaterThan(0);

    await operator.tenants.update(other.tenantId, { suspended: false });
    expect(await ask()).toBe(Outcome.VALID);
  });

  it("changes what the mask names, and refuses what cannot be changed", async () => {
    const { tenant } = await operator.tenants.create({ displayName: "before" });
    time.advance(1);
    const renamed = await operator.tenants.update(tenant.id, { displayName: "after" }, { etag: tenant.etag });
    const { etag, updateTime } = renamed.tenant;
    expect(renamed.tenant).toEqual({ ...tenant, displayName: "after", etag, updateTime });
    const stale = operator.tenants.update(tenant.id, { displayName: "late" }, { etag: tenant.etag });
    await expect(stale).rejects.toMatchObject({ reason: "ETAG_MISMATCH", code: "ABORTED" });

    const raw = home.rpc(TenantService, service.operatorToken);
    const update = (value: { displayName?: string; suspended?: boolean }, paths?: string[]) =>
      raw.updateTenant({
        tenantId: tenant.id,
        tenant: create(TenantSchema, value),
        ...(paths && { updateMask: create(FieldMaskSchema, { paths }) }),
      });
    const both = await update({ displayName: "all", suspended: true }, ["*"]);
    expect(both.tenant).toMatchObject({ displayName: "all", suspended: true });
    expect((await update({ displayName: "implied" })).tenant).toMatchObject({
      displayName: "implied",
      suspended: true,
    });
    expect((await update({}, ["suspended"])).tenant).toMatchObject({ displayName: "implied", suspended: false });
    expect(await errorOf(update({}, ["id", "suspended"]))).toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "update_mask.paths[0]" }],
    });
    expect(await errorOf(update({}, ["display_name"]))).toMatchObject({
      violations: [{ field: "tenant.display_name" }],
    });
  });
});

describe("CreateManagementKey", () => {
  it("lets the operator back in when all keys are lost", async () => {
    await using other = await openTenantHome(service);
    await other.clavis.keys.revoke(other.managementKeyId, { force: true });
    await expect(other.clavis.keyspaces.list().page()).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });

    const request = { tenantId: other.tenantId, displayName: "Way back in" };
    const { key, secret } = await operator.tenants.createManagementKey(request);
    expect(key).toMatchObject({
      keyspaceId: other.managementKeyspaceId,
      displayName: "Way back in",
      permissions: ["clavis.*"],
    });
    const clavis = other.clientFor(secret);
    expect((await clavis.keys.get(other.managementKeyId)).key.revocation?.actorId).toBe(other.managementKeyId);
    const created = await clavis.keyspaces.create({ displayName: "x", prefix: "ab" });
    expect(created.keyspace.prefix).toBe("ab");
  });
});

describe("the operator", () => {
  it("finds no tenant that is not there", async () => {
    const calls = [
      () => operator.tenants.get(missingId),
      () => operator.tenants.update(missingId, { suspended: true }),
      () => operator.tenants.createManagementKey({ tenantId: missingId, displayName: "x" }),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        reason: "TENANT_NOT_FOUND",
        code: "NOT_FOUND",
        facts: { tenant_id: missingId },
      });
    }
  });

  it("stands above tenants and acts in none", async () => {
    const calls = [
      () => operator.keyspaces.list().page(),
      () => operator.keys.list().page(),
      () => operator.audit.list().page(),
      () => operator.verify({ secret: "x", keyspaceId: `ks_${"0".repeat(26)}` }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ reason: "PERMISSION_MISSING" });
    await expect(operator.self.get()).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });
  });

  it("is not played by a management key, however much that may do", async () => {
    const calls = [
      () => home.clavis.tenants.list().page(),
      () => home.clavis.tenants.get(home.tenantId),
      () => home.clavis.tenants.create({ displayName: "x" }),
      () => home.clavis.tenants.update(home.tenantId, { suspended: false }),
      () => home.clavis.tenants.createManagementKey({ tenantId: home.tenantId, displayName: "x" }),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ reason: "PERMISSION_MISSING", facts: { permission: "operator" } });
    }
  });
});
