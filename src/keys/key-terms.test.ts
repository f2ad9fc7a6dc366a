import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DomainError, type Failure } from "../errors.ts";
import type { Keyspace } from "../keyspaces/keyspace.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import type { Key, KeyTerms } from "./key.ts";
import { changedTerms, type KeyDraft, rightsFrom, termsOf } from "./key-terms.ts";

const NOW = Date.UTC(2030, 0, 1);

function aKeyspace(init: Partial<Keyspace> = {}): Keyspace {
  return {
    id: "ks_01h455vb4pex5vsknk084sn02q",
    tenantId: "ten_01h455vb4pex5vsknk084sn02q",
    displayName: "Acme",
    prefix: "acme_live",
    earlierPrefixes: [],
    defaultTtlMs: null,
    maxTtlMs: null,
    grantablePermissions: [],
    disabled: false,
    management: false,
    revocationMode: "available",
    modeVersion: 1,
    modeSettled: true,
    version: 1,
    createTime: NOW,
    updateTime: NOW,
    ...init,
  };
}

function aDraft(init: Partial<KeyDraft> = {}): KeyDraft {
  return {
    displayName: "CI",
    ownerId: "",
    permissions: [],
    allowedKeyspaceIds: [],
    allowedAddresses: [],
    metadata: {},
    expiry: undefined,
    notBeforeTime: null,
    ...init,
  };
}

function aKey(init: Partial<Key> = {}): Key {
  const { expiry: _, ...terms } = aDraft();
  return {
    ...terms,
    expireTime: null,
    id: "key_01h455vb4pex5vsknk084sn02q",
    tenantId: "ten_01h455vb4pex5vsknk084sn02q",
    keyspaceId: "ks_01h455vb4pex5vsknk084sn02q",
    disabled: false,
    revocation: null,
    imported: false,
    maskedSecret: "acme_live_abcd...wxyz",
    secretCreateTime: NOW,
    rotation: null,
    version: 1,
    createTime: NOW,
    updateTime: NOW,
    ...init,
  };
}

function failureOf(work: () => unknown): Failure | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.failure;
  }
}

function fieldOf(work: () => unknown): string | undefined {
  const failure = failureOf(work);
  if (failure === undefined) return undefined;
  if (failure.reason === "INVALID_REQUEST") return failure.violations[0]?.field;
  return "fields" in failure ? failure.fields[0] : failure.reason;
}

describe("the end of a new key", () => {
  it.each<[string, Partial<Keyspace>, KeyDraft["expiry"], number | null]>([
    ["is never, if nobody says otherwise", {}, undefined, null],
    ["is the keyspace's default", { defaultTtlMs: DAY_MS, maxTtlMs: 2 * DAY_MS }, undefined, NOW + DAY_MS],
    ["is the longest that there is, where there is no default", { maxTtlMs: DAY_MS }, undefined, NOW + DAY_MS],
    ["is what was asked for as a time", { defaultTtlMs: DAY_MS }, { time: NOW + 1 }, NOW + 1],
    ["is what was asked for as a lifetime", {}, { ttlMs: HOUR_MS }, NOW + HOUR_MS],
    ["is the last moment of the longest lifetime", { maxTtlMs: DAY_MS }, { ttlMs: DAY_MS }, NOW + DAY_MS],
  ])("%s", (_name, keyspace, expiry, expected) => {
    expect(termsOf(aDraft({ expiry }), aKeyspace(keyspace), NOW).expireTime).toBe(expected);
  });

  it.each<[string, Partial<Keyspace>, KeyDraft["expiry"], number | null]>([
    ["in the past", {}, { time: NOW - 1 }, null],
    ["right now", {}, { time: NOW }, null],
    ["a millisecond beyond", { maxTtlMs: DAY_MS }, { time: NOW + DAY_MS + 1 }, NOW + DAY_MS],
    ["a lifetime beyond", { maxTtlMs: DAY_MS }, { ttlMs: DAY_MS + 1 }, NOW + DAY_MS],
  ])("cannot be %s, and it is said what would do", (_name, keyspace, expiry, latest) => {
    expect(failureOf(() => termsOf(aDraft({ expiry }), aKeyspace(keyspace), NOW))).toMatchObject({
      reason: "EXPIRY_OUTSIDE_POLICY",
      latest,
    });
  });

  it("never lies beyond the keyspace's maximum, whatever is asked for and made of it later", () => {
    const ms = fc.integer({ min: -DAY_MS, max: 3 * DAY_MS });
    const expiry = fc.oneof(
      fc.constant(undefined),
      ms.map((ttlMs) => ({ ttlMs })),
      ms.map((after) => ({ time: NOW + after })),
    );
    const change = fc.oneof(
      fc.constant(null),
      ms.map((after) => NOW + after),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 * DAY_MS }), expiry, change, (maxTtlMs, asked, expireTime) => {
        const keyspace = aKeyspace({ maxTtlMs });
        const failure = failureOf(() => {
          const terms = termsOf(aDraft({ expiry: asked }), keyspace, NOW);
          expect(terms.expireTime).not.toBeNull();
          expect(terms.expireTime ?? 0).toBeLessThanOrEqual(NOW + maxTtlMs);
          const changed = changedTerms(aKey(terms), { expireTime }, keyspace, NOW);
          expect(changed.expireTime ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(NOW + maxTtlMs);
          accepted++;
        });
        if (failure !== undefined) expect(failure.reason).toBe("EXPIRY_OUTSIDE_POLICY");
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(10);
  });
});

describe("terms", () => {
  it.each<[string, Partial<KeyDraft>, string]>([
    ["a name", { displayName: "" }, "display_name"],
    ["permissions that are some", { permissions: ["a.b", "a..b"] }, "permissions[1]"],
    ["addresses that are some", { allowedAddresses: ["10.0.0.0/8", "10.0.0.1/8"] }, "allowed_addresses[1]"],
    ["at most 4 KiB of metadata", { metadata: { a: "x".repeat(4096 - 7) } }, "metadata"],
    ["metadata at most 4 deep", { metadata: { a: [{ b: [1, {}] }] } }, "metadata"],
    [
      "a beginning before their end",
      { notBeforeTime: NOW + DAY_MS, expiry: { time: NOW + DAY_MS } },
      "not_before_time",
    ],
    [
      "no keyspaces, unless for a management key",
      { allowedKeyspaceIds: ["ks_01h455vb4pex5vsknk084sn02q"] },
      "allowed_keyspace_ids",
    ],
  ])("need %s", (_name, init, field) => {
    expect(fieldOf(() => termsOf(aDraft(init), aKeyspace(), NOW))).toBe(field);
    expect(fieldOf(() => termsOf(aDraft(init), aKeyspace(), NOW, "keys[3].spec."))).toBe(`keys[3].spec.${field}`);
  });

  it("may go to the very limits", () => {
    const metadata = { a: "x".repeat(4096 - 8) };
    expect(termsOf(aDraft({ metadata }), aKeyspace(), NOW).metadata).toEqual(metadata);
    expect(Buffer.byteLength(JSON.stringify(metadata))).toBe(4096);
    const deep = { a: { b: { c: { d: 1 } } } };
    expect(termsOf(aDraft({ metadata: deep }), aKeyspace(), NOW).metadata).toEqual(deep);
  });

  it("have each address once, as everybody writes it", () => {
    const { allowedAddresses } = termsOf(
      aDraft({ allowedAddresses: ["192.0.2.1", "::ffff:192.0.2.1", "2001:DB8::/32", "192.0.2.1/32"] }),
      aKeyspace(),
      NOW,
    );
    expect(allowedAddresses).toEqual(["192.0.2.1/32", "2001:db8::/32"]);
  });

  it("grant what the keyspace grants, wildcards included, and no more", () => {
    const keyspace = aKeyspace({ grantablePermissions: ["documents.*", "billing.read"] });
    const permissions = ["documents.*", "documents.drafts.read", "billing.read"];
    expect(termsOf(aDraft({ permissions }), keyspace, NOW).permissions).toEqual(permissions);
    expect(
      failureOf(() => termsOf(aDraft({ permissions: ["documents.read", "billing.*", "*"] }), keyspace, NOW)),
    ).toEqual({
      reason: "PERMISSION_NOT_GRANTABLE",
      fields: ["permissions"],
      permissions: ["billing.*", "*"],
    });
  });

  it("that were there before a keyspace was narrowed stay, and only new ones are held against it", () => {
    const narrow = aKeyspace({ grantablePermissions: ["documents.*"], maxTtlMs: HOUR_MS });
    const key = aKey({ permissions: ["billing.*"], expireTime: NOW + DAY_MS });
    expect(changedTerms(key, { displayName: "y" }, narrow, NOW)).toMatchObject({
      displayName: "y",
      permissions: ["billing.*"],
      expireTime: NOW + DAY_MS,
    });
    expect(changedTerms(key, { permissions: ["billing.read", "documents.read"] }, narrow, NOW).permissions).toEqual([
      "billing.read",
      "documents.read",
    ]);
    expect(fieldOf(() => changedTerms(key, { permissions: ["billing.*", "users.read"] }, narrow, NOW))).toBe(
      "key.permissions",
    );
    expect(fieldOf(() => changedTerms(key, { expireTime: NOW + DAY_MS - 1 }, narrow, NOW))).toBe("key.expire_time");
    expect(fieldOf(() => changedTerms(key, { expireTime: null }, narrow, NOW))).toBe("key.expire_time");
  });

  it("change in nothing but what is named", () => {
    const names: readonly (keyof KeyTerms)[] = [
      "displayName",
      "ownerId",
      "permissions",
      "allowedAddresses",
      "metadata",
      "notBeforeTime",
    ];
    const values = {
      displayName: "y",
      ownerId: "o",
      permissions: ["a.b"],
      allowedAddresses: ["10.0.0.0/8"],
      metadata: { a: 1 },
      notBeforeTime: NOW + 1,
    };
    fc.assert(
      fc.property(fc.subarray([...names]), (chosen) => {
        const key = aKey({ permissions: ["x.y"] });
        const changes = Object.fromEntries(chosen.map((name) => [name, values[name as keyof typeof values]]));
        const terms = changedTerms(key, changes, aKeyspace(), NOW);
        for (const name of names) expect(terms[name], name).toEqual(chosen.includes(name) ? changes[name] : key[name]);
      }),
    );
  });
});

describe("the rights of a management key", () => {
  it("are its terms", () => {
    const rights = rightsFrom({
      permissions: ["clavis.*"],
      allowedKeyspaceIds: ["ks_1"],
      allowedAddresses: ["10.0.0.0/8"],
      expireTime: NOW,
    });
    expect(rights).toMatchObject({ permissions: ["clavis.*"], keyspaceIds: ["ks_1"], expireTime: NOW });
    expect(rights.addresses).toHaveLength(1);
    expect(rights.held.has("clavis.keys.create")).toBe(true);
  });
});
