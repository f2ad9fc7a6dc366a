import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { durationMs, KeyState, type Keyspace, Outcome, RevocationMode, timestampDate } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { KeyspaceSchema } from "../../sdk/gen/clavis/v1/keyspace_pb.ts";
import { KeyspaceService } from "../../sdk/gen/clavis/v1/keyspace_service_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const raw = home.rpc(KeyspaceService);
const missingId = `ks_${"0".repeat(26)}`;
const YEAR = 365 * 24 * 60 * 60;

describe("CreateKeyspace", () => {
  it("makes a keyspace of every field, and GetKeyspace gives it back", async () => {
    const { keyspace } = await home.clavis.keyspaces.create({
      displayName: "Acme live",
      prefix: "acme_live",
      defaultTtl: { days: 30 },
      maxTtl: { days: 90 },
      grantablePermissions: ["documents.*", "billing.read"],
      revocationMode: RevocationMode.STRICT,
    });
    expect(keyspace).toMatchObject({
      id: expect.stringMatching(/^ks_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      displayName: "Acme live",
      prefix: "acme_live",
      earlierPrefixes: [],
      grantablePermissions: ["documents.*", "billing.read"],
      disabled: false,
      management: false,
      revocationMode: RevocationMode.STRICT,
      etag: expect.stringMatching(/^".+"$/),
    });
    const { defaultTtl, maxTtl, createTime, updateTime } = keyspace;
    expect([defaultTtl, maxTtl].map((ttl) => ttl && durationMs(ttl) / 86_400_000)).toEqual([30, 90]);
    for (const moment of [createTime, updateTime]) expect(moment && timestampDate(moment)).toEqual(time.date());
    expect((await home.clavis.keyspaces.get(keyspace.id)).keyspace).toEqual(keyspace);
  });

  it("asks for no more than a name and a prefix", async () => {
    const { keyspace } = await home.clavis.keyspaces.create({ displayName: "x", prefix: "ab" });
    expect([keyspace.defaultTtl, keyspace.maxTtl, keyspace.grantablePermissions]).toEqual([undefined, undefined, []]);
    expect(keyspace.revocationMode).toBe(RevocationMode.AVAILABLE);
  });

  it.each(["ab", "a1", "0x", "acme_live", `a${"b".repeat(31)}`, "clavisx", "my_clavis"])(
    "takes the prefix %s",
    async (prefix) => {
      const { id: keyspaceId } = await home.newKeyspace({ prefix });
      const { secret } = await home.newKey(keyspaceId);
      expect(secret.startsWith(`${prefix}_`)).toBe(true);
      expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.VALID);
    },
  );

  it.each([
    "",
    "a",
    "_ab",
    "ab_",
    "Ab",
    "a-b",
    "a b",
    "é1",
    "a".repeat(33),
    "clavis",
    "clavis_",
    "clavis_x",
    "clavis_mgmt",
  ])("refuses the prefix '%s'", async (prefix) => {
    await expect(home.newKeyspace({ prefix })).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "prefix" }],
    });
  });

  it.each([
    ["an empty name", "display_name", { displayName: "" }],
    ["a name of 121 characters", "display_name", { displayName: "x".repeat(121) }],
    ["a default of less than a second", "default_ttl", { defaultTtl: { milliseconds: 999 } }],
    ["a maximum of more than 100 years", "max_ttl", { maxTtl: { seconds: 3_155_760_001 } }],
    ["a default beyond the maximum", "default_ttl", { defaultTtl: { days: 2 }, maxTtl: { days: 1 } }],
    ["what is no permission", "grantable_permissions[1]", { grantablePermissions: ["a", "a..b"] }],
    ["a permission twice", "grantable_permissions", { grantablePermissions: ["a", "a"] }],
  ])("refuses %s", async (_, field, init) => {
    await expect(home.newKeyspace(init)).rejects.toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field }] });
  });
});

describe("ListKeyspaces", () => {
  it("gives the newest first, the reserved one among them, over pages that stay in place", async () => {
    await using other = await openTenantHome(service);
    const made = [other.managementKeyspaceId];
    for (let index = 0; index < 7; index++) {
      time.advance(1);
      made.push((await other.newKeyspace()).id);
    }
    const seen: string[] = [];
    for await (const { items } of other.clavis.keyspaces.list({ pageSize: 3 }).pages()) {
      expect(items.length).toBeLessThanOrEqual(3);
      seen.push(...items.map(({ id }) => id));
      time.advance(1);
      await other.newKeyspace();
      await other.clavis.keyspaces.delete(items.find(({ management }) => !management)?.id ?? "");
    }
    expect(seen).toEqual(made.toReversed());
  });

  it("refuses a token of another list or tenant", async () => {
    await using other = await openTenantHome(service);
    for (const tenant of [home, other]) {
      for (let index = 0; index < 2; index++) await tenant.newKeyspace();
    }
    const { nextPageToken: pageToken } = await other.clavis.keyspaces.list({ pageSize: 1 }).page();
    expect(pageToken).not.toBe("");
    const refused = { reason: "PAGE_TOKEN_INVALID", code: "INVALID_ARGUMENT" };
    await expect(home.clavis.keyspaces.list({ pageToken }).page()).rejects.toMatchObject(refused);
    await expect(other.clavis.keys.list({ pageToken }).page()).rejects.toMatchObject(refused);
  });
});

describe("UpdateKeyspace", () => {
  it.each([
    ["display_name", { displayName: "other" }],
    ["grantable_permissions", { grantablePermissions: ["a.*"] }],
    ["grantable_permissions, all of them gone", { grantablePermissions: [] }],
    ["disabled", { disabled: true }],
    ["revocation_mode", { revocationMode: RevocationMode.STRICT }],
  ])("changes %s and nothing else", async (_, changes) => {
    const keyspace = await home.newKeyspace({ grantablePermissions: ["b"], maxTtl: { days: 1 } });
    time.advance(2);
    const answer = await home.clavis.keyspaces.update(keyspace.id, changes);
    const { etag, updateTime } = answer.keyspace;
    expect(answer.keyspace).toEqual({ ...keyspace, ...changes, etag, updateTime });
    expect(etag).not.toBe(keyspace.etag);
    expect(updateTime && timestampDate(updateTime)).toEqual(time.date());
    expect(timestampDate(answer.effectiveTime)).toEqual(time.date());
  });

  it("gives and takes away lifetimes", async () => {
    const { id } = await home.newKeyspace();
    const given = await home.clavis.keyspaces.update(id, { defaultTtl: { days: 1 }, maxTtl: { days: 2 } });
    expect(given.keyspace.maxTtl?.seconds).toBe(2n * 86_400n);
    await expect(home.clavis.keyspaces.update(id, { maxTtl: { hours: 1 } })).rejects.toMatchObject({
      violations: [{ field: "keyspace.default_ttl" }],
    });
    const taken = await home.clavis.keyspaces.update(id, { defaultTtl: null, maxTtl: null });
    expect([taken.keyspace.defaultTtl, taken.keyspace.maxTtl]).toEqual([undefined, undefined]);
    expect((await home.newKey(id)).key.expireTime).toBeUndefined();
  });

  it("changes no key that exists when the policy gets narrower", async () => {
    const { id } = await home.newKeyspace();
    const { key, secret } = await home.newKey(id, { permissions: ["a.read"] });
    await home.clavis.keyspaces.update(id, { grantablePermissions: ["b.*"], maxTtl: { seconds: 1 } });
    time.advance(YEAR * 1000);
    expect((await home.clavis.keys.get(key.id)).key).toEqual(key);
    expect(await home.outcomeOf(secret, id, { permissions: ["a.read"] })).toBe(Outcome.VALID);
  });

  it("keeps secrets of earlier prefixes valid, and remembers these in their order, each once", async () => {
    const { id } = await home.newKeyspace({ prefix: "one" });
    const secrets = [(await home.newKey(id)).secret];
    for (const prefix of ["two", "three", "one", "four"]) {
      await home.clavis.keyspaces.update(id, { prefix });
      secrets.push((await home.newKey(id)).secret);
    }
    const { keyspace } = await home.clavis.keyspaces.get(id);
    expect([keyspace.prefix, keyspace.earlierPrefixes]).toEqual(["four", ["two", "three", "one"]]);
    expect(secrets.map((secret) => secret.split("_")[0])).toEqual(["one", "two", "three", "one", "four"]);
    for (const secret of secrets) expect(await home.outcomeOf(secret, id)).toBe(Outcome.VALID);
  });

  it("remembers 32 earlier prefixes at most; secrets of forgotten ones stay valid", async () => {
    const { id } = await home.newKeyspace({ prefix: "first" });
    const { secret } = await home.newKey(id);
    for (let index = 0; index < 34; index++) await home.clavis.keyspaces.update(id, { prefix: `p${index}` });
    const { earlierPrefixes } = (await home.clavis.keyspaces.get(id)).keyspace;
    expect(earlierPrefixes).toEqual(Array.from({ length: 32 }, (_, index) => `p${index + 1}`));
    expect(await home.outcomeOf(secret, id)).toBe(Outcome.VALID);
  });

  it("with the mask * sets back what is not given; without a mask leaves it", async () => {
    const init = { grantablePermissions: ["a"], maxTtl: { days: 1 } };
    const one = await home.newKeyspace(init);
    const replaced = await updateRaw(one.id, { displayName: "new", prefix: "new" }, ["*"]);
    expect(replaced).toMatchObject({ displayName: "new", prefix: "new", grantablePermissions: [], disabled: false });
    expect(replaced?.maxTtl).toBeUndefined();
    const two = await home.newKeyspace(init);
    const kept = await updateRaw(two.id, { displayName: "new", disabled: false });
    expect(kept).toMatchObject({ displayName: "new", prefix: "acme_live", grantablePermissions: ["a"] });
  });

  it("refuses each path that cannot be changed, and a mask * that leaves out what must be there", async () => {
    const { id } = await home.newKeyspace();
    const error = await errorOf(updateRaw(id, { displayName: "x" }, ["management", "display_name", "etag"]));
    expect(error.violations.map(({ field }) => field)).toEqual(["update_mask.paths[0]", "update_mask.paths[2]"]);
    const empty = await errorOf(updateRaw(id, { prefix: "ab" }, ["*"]));
    expect(empty.violations).toMatchObject([{ field: "keyspace.display_name" }]);
  });

  it("heeds the etag", async () => {
    const { id, etag } = await home.newKeyspace();
    await home.clavis.keyspaces.update(id, { displayName: "first" }, { etag });
    const second = home.clavis.keyspaces.update(id, { displayName: "second" }, { etag });
    await expect(second).rejects.toMatchObject({ reason: "ETAG_MISMATCH", code: "ABORTED" });
    expect((await home.clavis.keyspaces.get(id)).keyspace.displayName).toBe("first");
  });

  it("switches all keys of a keyspace off and on", async () => {
    const { id } = await home.newKeyspace();
    const { key, secret } = await home.newKey(id);
    await home.clavis.keyspaces.update(id, { disabled: true });
    expect(await home.outcomeOf(secret, id)).toBe(Outcome.KEYSPACE_DISABLED);
    // The key's own state is another matter.
    expect((await home.clavis.keys.get(key.id)).key.state).toBe(KeyState.ACTIVE);
    const another = await home.newKey(id);
    expect(await home.outcomeOf(another.secret, id)).toBe(Outcome.KEYSPACE_DISABLED);
    await home.clavis.keyspaces.update(id, { disabled: false });
    expect(await home.outcomeOf(secret, id)).toBe(Outcome.VALID);
  });
});

describe("the revocation mode", () => {
  const { AVAILABLE, STRICT, UNSPECIFIED } = RevocationMode;

  it("goes from one to the other and back, told by lists and in the audit", async () => {
    const { id } = await home.newKeyspace({ revocationMode: UNSPECIFIED });
    const modes = [(await modeOf(id)).revocationMode];
    for (const revocationMode of [STRICT, STRICT, AVAILABLE]) {
      const { keyspace } = await home.clavis.keyspaces.update(id, { revocationMode });
      expect(await modeOf(id)).toEqual(keyspace);
      modes.push(keyspace.revocationMode);
    }
    expect(modes).toEqual([AVAILABLE, STRICT, STRICT, AVAILABLE]);
    const { items } = await home.clavis.audit.list({ targetId: id, oldestFirst: true }).page();
    const told = items.map(({ type, changedFields, after }) => {
      const { case: kind, value } = after?.resource ?? {};
      return [type, changedFields?.paths, kind === "keyspace" && value?.revocationMode];
    });
    expect(told).toEqual([
      ["keyspace.created", [], AVAILABLE],
      ["keyspace.updated", ["revocation_mode"], STRICT],
      ["keyspace.updated", ["revocation_mode"], AVAILABLE],
    ]);
  });

  it("is available where it is set back, and no number that the contract does not know", async () => {
    const { id } = await home.newKeyspace({ revocationMode: STRICT });
    expect(await updateRaw(id, {}, ["revocation_mode"])).toMatchObject({ revocationMode: AVAILABLE });
    const unknown = 3 as RevocationMode;
    const created = home.newKeyspace({ revocationMode: unknown });
    await expect(created).rejects.toMatchObject({ violations: [{ field: "revocation_mode" }] });
    const updated = home.clavis.keyspaces.update(id, { revocationMode: unknown });
    await expect(updated).rejects.toMatchObject({ violations: [{ field: "keyspace.revocation_mode" }] });
  });

  async function modeOf(id: string): Promise<Keyspace> {
    const { items } = await home.clavis.keyspaces.list().page();
    const listed = items.find((keyspace) => keyspace.id === id);
    expect((await home.clavis.keyspaces.get(id)).keyspace).toEqual(listed);
    return listed as Keyspace;
  }
});

describe("DeleteKeyspace", () => {
  it("refuses while there are live keys, and says how many", async () => {
    const { id } = await home.newKeyspace();
    const active = await home.newKey(id);
    const off = await home.newKey(id);
    await home.clavis.keys.disable(off.key.id);
    const early = await home.newKey(id, { notBeforeTime: time.date(1000) });
    const ended = await home.newKey(id, { ttl: { seconds: 1 } });
    const refusal = (liveKeys: string) => ({
      reason: "KEYSPACE_NOT_EMPTY",
      code: "FAILED_PRECONDITION",
      facts: { keyspace_id: id, live_keys: liveKeys },
    });
    await expect(home.clavis.keyspaces.delete(id)).rejects.toMatchObject(refusal("4"));
    time.advance(1000);
    await expect(home.clavis.keyspaces.delete(id)).rejects.toMatchObject(refusal("3"));
    for (const { key } of [active, off, early]) await home.clavis.keys.revoke(key.id);
    await home.clavis.keyspaces.delete(id);
    const gone = { reason: "KEYSPACE_NOT_FOUND", facts: { keyspace_id: id } };
    await expect(home.clavis.keyspaces.get(id)).rejects.toMatchObject(gone);
    await expect(home.outcomeOf(active.secret, id)).resolves.toBe(Outcome.NOT_FOUND);
    await expect(home.clavis.keys.get(ended.key.id)).rejects.toMatchObject({ reason: "KEY_NOT_FOUND" });
    await expect(home.newKey(id)).rejects.toMatchObject(gone);
  });

  it("heeds the etag", async () => {
    const { id, etag } = await home.newKeyspace();
    const { keyspace } = await home.clavis.keyspaces.update(id, { displayName: "other" });
    await expect(home.clavis.keyspaces.delete(id, { etag })).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    await home.clavis.keyspaces.delete(id, { etag: keyspace.etag });
  });
});

describe("the reserved keyspace", () => {
  it("can be looked at, and neither changed nor deleted", async () => {
    const id = home.managementKeyspaceId;
    expect((await home.clavis.keyspaces.get(id)).keyspace).toMatchObject({
      management: true,
      prefix: "clavis_mgmt",
      grantablePermissions: ["clavis.*"],
      revocationMode: RevocationMode.AVAILABLE,
    });
    const reserved = { reason: "KEYSPACE_RESERVED", code: "FAILED_PRECONDITION", facts: { keyspace_id: id } };
    await expect(home.clavis.keyspaces.update(id, { disabled: true })).rejects.toMatchObject(reserved);
    const strict = { revocationMode: RevocationMode.STRICT };
    await expect(home.clavis.keyspaces.update(id, strict)).rejects.toMatchObject(reserved);
    await expect(home.clavis.keyspaces.delete(id)).rejects.toMatchObject(reserved);
  });
});

describe("a keyspace that is not there", () => {
  it("is not found, whatever is asked of it", async () => {
    const { keyspaces } = home.clavis;
    const calls = [
      () => keyspaces.get(missingId),
      () => keyspaces.update(missingId, { disabled: true }),
      () => keyspaces.delete(missingId),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        reason: "KEYSPACE_NOT_FOUND",
        code: "NOT_FOUND",
        facts: { keyspace_id: missingId },
      });
    }
  });

  it("cannot be asked for by what is no id", async () => {
    for (const id of ["", "ks_", "acme_live", home.tenantId, `${missingId}0`, `ks_${"z".repeat(26)}`]) {
      await expect(home.clavis.keyspaces.get(id)).rejects.toMatchObject({
        reason: "INVALID_REQUEST",
        violations: [{ field: "keyspace_id" }],
      });
    }
  });
});

async function updateRaw(keyspaceId: string, keyspace: Partial<Omit<Keyspace, "$typeName">>, paths?: string[]) {
  const answer = await raw.updateKeyspace({
    keyspaceId,
    keyspace: create(KeyspaceSchema, keyspace),
    ...(paths && { updateMask: create(FieldMaskSchema, { paths }) }),
  });
  return answer.keyspace;
}
