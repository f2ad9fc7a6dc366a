import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePermissions, grants, isConcretePermission, isPermission, missingPermissions } from "./permission.ts";

/** Two letters and short paths, so that permissions often meet. */
const concretes = fc
  .array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 4 })
  .map((path) => path.join("."));
const wildcards = fc.oneof(
  fc.constant("*"),
  concretes.map((stem) => `${stem}.*`),
);
const permissions = fc.oneof(concretes, wildcards);

describe("isPermission and isConcretePermission", () => {
  it.each(["documents", "documents.read", "a-b_c.0", "1.2.3.4.5.6.7.8", "x".repeat(128)])("both accept %j", (text) => {
    expect([isPermission(text), isConcretePermission(text)]).toEqual([true, true]);
  });

  it.each(["*", "documents.*", "1.2.3.4.5.6.7.*", `${"x".repeat(126)}.*`])("only isPermission accepts %j", (text) => {
    expect([isPermission(text), isConcretePermission(text)]).toEqual([true, false]);
  });

  it.each([
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "A",
    "a b",
    "a\n",
    "é",
    "a/b",
    "**",
    "a*",
    "a.b*",
    "*.a",
    "a.*.b",
    "1.2.3.4.5.6.7.8.9",
    "1.2.3.4.5.6.7.8.*",
    "x".repeat(129),
    `${"x".repeat(127)}.*`,
  ])("both refuse %j", (text) => {
    expect([isPermission(text), isConcretePermission(text)]).toEqual([false, false]);
  });

  it("answer for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(isPermission(text) || !isConcretePermission(text)).toBe(true);
      }),
    );
  });
});

describe("grants", () => {
  it.each([
    ["documents.read", "documents.read", true],
    ["documents.read", "documents.write", false],
    ["documents", "documents.read", false],
    ["documents.read", "documents", false],
    ["documents.*", "documents.read", true],
    ["documents.*", "documents.a.b", true],
    ["documents.*", "documents.*", true],
    ["documents.*", "documents.a.*", true],
    ["documents.*", "documents", false],
    ["documents.*", "documentsearch.read", false],
    ["documents.*", "*", false],
    ["documents.a.*", "documents.*", false],
    ["documents.read", "documents.*", false],
    ["*", "documents", true],
    ["*", "documents.a.*", true],
    ["*", "*", true],
  ])("%s to %s: %s", (held, wanted, expected) => {
    expect(grants(held, wanted)).toBe(expected);
  });

  it("is reflexive and transitive, so nobody can pass on more than they hold", () => {
    let chains = 0;
    fc.assert(
      fc.property(permissions, permissions, permissions, (a, b, c) => {
        expect(grants(a, a)).toBe(true);
        if (!grants(a, b) || !grants(b, c)) return;
        chains++;
        expect(grants(a, c)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(chains).toBeGreaterThan(0);
  });
});

describe("compilePermissions", () => {
  it("agrees with grants on any set and anything wanted", () => {
    const wanteds = fc.oneof(permissions, fc.string());
    fc.assert(
      fc.property(fc.array(permissions, { maxLength: 6 }), wanteds, (held, wanted) => {
        expect(compilePermissions(held).has(wanted)).toBe(held.some((each) => grants(each, wanted)));
      }),
      { numRuns: 2000 },
    );
  });

  it("agrees with grants on the deepest wildcard, and on what lies deeper than any permission", () => {
    const held = "1.2.3.4.5.6.7.*";
    const wanteds = ["1.2.3.4.5.6.7.8", "1.2.3.4.5.6.7.8.9.10", "1.2.3.4.5.6.7", held, "1.".repeat(500)];
    for (const wanted of wanteds) expect(compilePermissions([held]).has(wanted)).toBe(grants(held, wanted));
  });

  it("grants nothing when nothing is held", () => {
    const none = compilePermissions([]);
    expect(none.has("documents.read")).toBe(false);
    expect(none.has("*")).toBe(false);
    expect(none.has("")).toBe(false);
  });
});

describe("missingPermissions", () => {
  it("names what is not granted, in the order asked for and each once", () => {
    const held = compilePermissions(["documents.*"]);
    const wanted = ["users.write", "documents.read", "users.read", "users.write"];
    expect(missingPermissions(held, wanted)).toEqual(["users.write", "users.read"]);
  });

  it("is empty when nothing is wanted", () => {
    expect(missingPermissions(compilePermissions([]), [])).toEqual([]);
  });
});
