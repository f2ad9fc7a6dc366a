import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DomainError } from "../errors.ts";
import { DAY_MS } from "../time.ts";
import { changePolicy, checkPolicy, type Keyspace, type KeyspacePolicy } from "./keyspace.ts";

const NOW = Date.UTC(2030, 0, 1);

function aPolicy(init: Partial<KeyspacePolicy> = {}): KeyspacePolicy {
  return {
    displayName: "Acme",
    prefix: "acme_live",
    defaultTtlMs: null,
    maxTtlMs: null,
    grantablePermissions: [],
    disabled: false,
    revocationMode: "available",
    ...init,
  };
}

function aKeyspace(init: Partial<Keyspace> = {}): Keyspace {
  return {
    ...aPolicy(),
    id: "ks_01h455vb4pex5vsknk084sn02q",
    tenantId: "ten_01h455vb4pex5vsknk084sn02q",
    earlierPrefixes: [],
    management: false,
    modeVersion: 1,
    modeSettled: true,
    version: 1,
    createTime: NOW,
    updateTime: NOW,
    ...init,
  };
}

function fieldOf(policy: KeyspacePolicy, path?: string): string | undefined {
  try {
    checkPolicy(policy, path);
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError) || error.failure.reason !== "INVALID_REQUEST") throw error;
    return error.failure.violations[0]?.field;
  }
}

describe("a policy", () => {
  it.each<[string, Partial<KeyspacePolicy>]>([
    ["as it comes", {}],
    ["with a prefix that only looks like ours", { prefix: "clavisx" }],
    ["with lifetimes that are the same", { defaultTtlMs: DAY_MS, maxTtlMs: DAY_MS }],
    ["with a default alone", { defaultTtlMs: DAY_MS }],
    ["with wildcards", { grantablePermissions: ["documents.*", "*"] }],
  ])("is taken %s", (_name, init) => {
    expect(fieldOf(aPolicy(init))).toBeUndefined();
  });

  it.each<[string, Partial<KeyspacePolicy>, string]>([
    ["a name", { displayName: "" }, "display_name"],
    ["a prefix of two characters", { prefix: "a" }, "prefix"],
    ["a prefix of small letters", { prefix: "Acme" }, "prefix"],
    ["a prefix without an underscore at its end", { prefix: "acme_" }, "prefix"],
    ["a prefix of its own", { prefix: "clavis" }, "prefix"],
    ["a prefix of its own, further on too", { prefix: "clavis_mgmt" }, "prefix"],
    ["a default within the maximum", { defaultTtlMs: DAY_MS + 1, maxTtlMs: DAY_MS }, "default_ttl"],
    ["permissions that are some", { grantablePermissions: ["a.b", "A"] }, "grantable_permissions[1]"],
  ])("needs %s", (_name, init, field) => {
    expect(fieldOf(aPolicy(init))).toBe(field);
    expect(fieldOf(aPolicy(init), "keyspace.")).toBe(`keyspace.${field}`);
  });
});

describe("a change of the policy", () => {
  it("counts, and leaves alone what it does not name", () => {
    const keyspace = aKeyspace({ maxTtlMs: DAY_MS });
    const changed = changePolicy(keyspace, { disabled: true }, NOW + 1);
    expect(changed).toEqual({ ...keyspace, disabled: true, version: 2, updateTime: NOW + 1 });
  });

  it("remembers the prefixes before, each once, the present one not among them, and no more than 32", () => {
    const prefixes = fc.array(fc.constantFrom(...Array.from({ length: 50 }, (_, index) => `prefix_${index}`)), {
      maxLength: 120,
      size: "max",
    });
    let longest = 0;
    fc.assert(
      fc.property(prefixes, (names) => {
        const life = names.reduce((keyspace, prefix) => changePolicy(keyspace, { prefix }, NOW), aKeyspace());
        const order = ["acme_live", ...names];
        // The latest 32 that it had, in the order in which it last had them.
        const expected = [...new Set(order.toReversed())]
          .filter((prefix) => prefix !== life.prefix)
          .slice(0, 32)
          .toReversed();
        expect(life.earlierPrefixes).toEqual(expected);
        longest = Math.max(longest, life.earlierPrefixes.length);
      }),
    );
    expect(longest).toBe(32);
  });
});
