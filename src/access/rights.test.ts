import { parseCidr } from "@clavis/sdk/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allows, excessDeed, type Grant, reaches } from "../../test/harness/rights-model.ts";
import { DomainError } from "../errors.ts";
import { HOUR_MS } from "../time.ts";
import { managementPermissions } from "./permissions.ts";
import {
  authorizeKey,
  authorizeKeysIn,
  authorizeKeyspace,
  excessOf,
  need,
  needEverywhere,
  needKeyAction,
  needWithin,
  type Rights,
  rightsOf,
  seesKey,
  seesKeyspace,
  unlimitedRights,
} from "./rights.ts";

const NOW = Date.UTC(2030, 0, 1);
const KEYSPACES = ["ks_one", "ks_two", "ks_three"];

// Without sets that only together make up another: that they do is nothing that a grant has to see.
const somePermissions = [
  "*",
  "clavis.*",
  "clavis.keys.*",
  "clavis.keys.create",
  "clavis.management_keys.*",
  "clavis.verify",
  "documents.*",
  "documents.read",
];
const someAddresses = ["127.0.0.0/8", "127.0.0.1/32", "10.0.0.0/8", "::/0", "2001:db8::/32"];

const grants: fc.Arbitrary<Grant> = fc.record({
  permissions: fc.uniqueArray(fc.constantFrom(...somePermissions), { minLength: 1, maxLength: 3 }),
  keyspaceIds: fc.uniqueArray(fc.constantFrom(...KEYSPACES), { maxLength: 2 }),
  addresses: fc.uniqueArray(fc.constantFrom(...someAddresses), { maxLength: 2 }),
  expireTime: fc.constantFrom(null, NOW + HOUR_MS, NOW + 2 * HOUR_MS),
});

function toRights({ permissions, keyspaceIds, addresses, expireTime }: Grant): Rights {
  const cidrs = addresses.map((text) => {
    const result = parseCidr(text);
    if (!result.ok) throw new Error(result.problem);
    return result.cidr;
  });
  return rightsOf({ permissions, keyspaceIds, addresses: cidrs, expireTime });
}

const held = (permissions: readonly string[], keyspaceIds: readonly string[] = []): Rights =>
  toRights({ permissions, keyspaceIds, addresses: [], expireTime: null });

function reasonOf(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    return error instanceof DomainError ? error.failure.reason : String(error);
  }
}

describe("what lies within rights", () => {
  it("is just what allows nothing that they do not", () => {
    let [within, beyond] = [0, 0];
    fc.assert(
      fc.property(grants, grants, (caller, wanted) => {
        const excess = excessDeed(
          wanted,
          [caller],
          [...KEYSPACES, "elsewhere"],
          [NOW, NOW + 1.5 * HOUR_MS, NOW + 9 * HOUR_MS],
        );
        expect(excessOf(toRights(caller), toRights(wanted)).length > 0).toBe(excess !== undefined);
        if (excess === undefined) within++;
        else beyond++;
      }),
      { numRuns: 2000 },
    );
    expect(within).toBeGreaterThan(20);
    expect(beyond).toBeGreaterThan(20);
  });

  it("stays within when it is passed on", () => {
    let passed = 0;
    fc.assert(
      fc.property(grants, grants, grants, (one, two, three) => {
        const [first, second, third] = [toRights(one), toRights(two), toRights(three)];
        if (excessOf(first, second).length > 0 || excessOf(second, third).length > 0) return;
        passed++;
        expect(excessOf(first, third)).toEqual([]);
      }),
      { numRuns: 20_000 },
    );
    expect(passed).toBeGreaterThan(3);
  });

  it("is everything for who is unlimited, and oneself for everyone", () => {
    fc.assert(
      fc.property(grants, (grant) => {
        needWithin(unlimitedRights, toRights(grant));
        needWithin(toRights(grant), toRights(grant));
      }),
    );
  });

  it("names each thing that goes beyond", () => {
    const caller = toRights({
      permissions: ["clavis.keys.*"],
      keyspaceIds: ["ks_one"],
      addresses: ["10.0.0.0/8"],
      expireTime: NOW,
    });
    const wide = toRights({
      permissions: ["clavis.keys.read", "clavis.verify"],
      keyspaceIds: [],
      addresses: [],
      expireTime: null,
    });
    expect(excessOf(caller, wide)).toEqual([
      "clavis.verify",
      "allowed_keyspace_ids",
      "allowed_addresses",
      "expire_time",
    ]);
    const other = toRights({
      permissions: ["*"],
      keyspaceIds: ["ks_one", "ks_two"],
      addresses: ["10.0.0.0/7"],
      expireTime: NOW + 1,
    });
    expect(excessOf(caller, other)).toEqual(["*", "ks_two", "10.0.0.0/7", "expire_time"]);
    expect(reasonOf(() => needWithin(caller, other))).toBe("GRANT_EXCEEDS_CALLER");
  });
});

describe("what a principal sees", () => {
  const places = [...KEYSPACES.map((id) => ({ id, management: false })), { id: "ks_management", management: true }];
  const handles = (grant: Grant) =>
    Object.keys(managementPermissions).some(
      (name) => name.startsWith("clavis.management_keys.") && allows(grant, name),
    );

  it("is its keyspaces, and the reserved one if it may do anything there", () => {
    fc.assert(
      fc.property(grants, fc.constantFrom(...places), (grant, place) => {
        expect(seesKeyspace(toRights(grant), place)).toBe(
          place.management ? handles(grant) : reaches(grant, [place.id]),
        );
      }),
    );
  });

  it("is what is in its keyspaces, and management keys that reach no further than itself", () => {
    fc.assert(
      fc.property(
        grants,
        fc.constantFrom(...places),
        fc.uniqueArray(fc.constantFrom(...KEYSPACES)),
        (grant, place, allowedKeyspaceIds) => {
          const key = { id: "key_x", allowedKeyspaceIds };
          const expected = place.management
            ? handles(grant) && reaches(grant, allowedKeyspaceIds)
            : reaches(grant, [place.id]);
          expect(seesKey(toRights(grant), place, key)).toBe(expected);
        },
      ),
    );
  });

  it("decides between not found and not allowed", () => {
    const rights = held(["clavis.keys.read", "clavis.keyspaces.read"], ["ks_one"]);
    const [inside, outside, management] = [places[0], places[1], places[3]].map(
      (place) => place ?? { id: "", management: false },
    ) as [
      { id: string; management: boolean },
      { id: string; management: boolean },
      { id: string; management: boolean },
    ];
    const key = { id: "key_x", allowedKeyspaceIds: [] };
    expect(reasonOf(() => authorizeKeyspace(rights, "read", inside))).toBe("");
    expect(reasonOf(() => authorizeKeyspace(rights, "update", inside))).toBe("PERMISSION_MISSING");
    expect(reasonOf(() => authorizeKeyspace(rights, "update", outside))).toBe("KEYSPACE_NOT_FOUND");
    expect(reasonOf(() => authorizeKeysIn(rights, "create", inside))).toBe("PERMISSION_MISSING");
    expect(reasonOf(() => authorizeKeysIn(rights, "create", management))).toBe("KEYSPACE_NOT_FOUND");
    expect(reasonOf(() => authorizeKey(rights, "read", inside, key))).toBe("");
    expect(reasonOf(() => authorizeKey(rights, "delete", inside, key))).toBe("PERMISSION_MISSING");
    expect(reasonOf(() => authorizeKey(rights, "delete", outside, key))).toBe("KEY_NOT_FOUND");
    expect(reasonOf(() => authorizeKey(rights, "read", management, key))).toBe("KEY_NOT_FOUND");
  });
});

describe("what a principal needs", () => {
  it("is the permission itself, or a wildcard above it", () => {
    for (const permission of Object.keys(managementPermissions) as (keyof typeof managementPermissions)[]) {
      for (const grant of [permission, `${permission.slice(0, permission.lastIndexOf("."))}.*`, "clavis.*", "*"]) {
        expect(
          reasonOf(() => need(held([grant]), permission)),
          `${grant} for ${permission}`,
        ).toBe("");
      }
      for (const grant of ["clavis", `${permission}.more`, `${permission}x`, "documents.*"]) {
        expect(
          reasonOf(() => need(held([grant]), permission)),
          `${grant} for ${permission}`,
        ).toBe("PERMISSION_MISSING");
      }
    }
  });

  it("everywhere is more than in some keyspaces", () => {
    expect(reasonOf(() => needEverywhere(held(["clavis.*"]), "clavis.keyspaces.create"))).toBe("");
    expect(reasonOf(() => needEverywhere(held(["clavis.*"], KEYSPACES), "clavis.keyspaces.create"))).toBe(
      "PERMISSION_MISSING",
    );
  });

  it("for a key is either kind's permission, before it is known of which kind it is", () => {
    expect(reasonOf(() => needKeyAction(held(["clavis.keys.read"]), "read"))).toBe("");
    expect(reasonOf(() => needKeyAction(held(["clavis.management_keys.read"]), "read"))).toBe("");
    expect(reasonOf(() => needKeyAction(held(["clavis.keys.update"]), "read"))).toBe("PERMISSION_MISSING");
  });
});
