import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePermissions, grants } from "./permission.ts";
import { checkQuery, missingFor, type PermissionQuery, QUERY_DEPTH_MAX, QUERY_TERMS_MAX } from "./query.ts";

const permissions = fc.constantFrom("a", "b", "c", "d", "e", "a.x", "a.*", "b.*");

const { query: queries } = fc.letrec<{ query: PermissionQuery }>((tie) => ({
  query: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    permissions.map((permission) => ({ permission })),
    fc.array(tie("query"), { maxLength: 3 }).map((allOf) => ({ allOf })),
    fc.array(tie("query"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
  ),
}));

describe("missingFor", () => {
  it.each<[string, string[], PermissionQuery, string[]]>([
    ["a held permission", ["a"], { permission: "a" }, []],
    ["a permission that is not held", ["b"], { permission: "a" }, ["a"]],
    ["an empty allOf", [], { allOf: [] }, []],
    ["an allOf", ["b"], { allOf: [the("c"), the("b"), the("a")] }, ["c", "a"]],
    ["an allOf that repeats itself", [], { allOf: [the("a"), the("a")] }, ["a"]],
    ["a satisfied anyOf", ["c"], { anyOf: [the("a"), the("c")] }, []],
    ["an anyOf with equal ways", [], { anyOf: [the("b"), the("a")] }, ["b"]],
    [
      "an anyOf with a shorter way",
      ["c"],
      { anyOf: [{ allOf: [the("a"), the("b")] }, { allOf: [the("c"), the("d")] }] },
      ["d"],
    ],
    ["an anyOf that the list so far satisfies", [], { allOf: [the("b"), { anyOf: [the("a"), the("b")] }] }, ["b"]],
    ["a wildcard that covers what follows", [], { allOf: [the("a.*"), the("a.x")] }, ["a.*"]],
  ])("of %s", (_, held, query, missing) => {
    expect(missingFor(compilePermissions(held), query)).toEqual(missing);
  });

  it("leaves out what counts as granted", () => {
    expect(missingFor(compilePermissions([]), { allOf: [the("a"), the("b")] }, ["a"])).toEqual(["b"]);
  });

  it("throws rather than call an empty anyOf satisfied", () => {
    expect(() => missingFor(compilePermissions(["*"]), { anyOf: [] })).toThrow(RangeError);
    expect(() => missingFor(compilePermissions(["*"]), { allOf: [{ anyOf: [] }] })).toThrow(RangeError);
  });

  it("is empty exactly when the query is satisfied", () => {
    const seen = new Set<boolean>();
    fc.assert(
      fc.property(fc.array(permissions), queries, (held, query) => {
        const satisfied = isSatisfied(held, query);
        seen.add(satisfied);
        expect(missingFor(compilePermissions(held), query).length === 0).toBe(satisfied);
      }),
      { numRuns: 1000 },
    );
    expect(seen.size).toBe(2);
  });

  it("suffices once granted, and names nothing twice nor anything held", () => {
    fc.assert(
      fc.property(fc.array(permissions), queries, (held, query) => {
        const missing = missingFor(compilePermissions(held), query);
        expect(isSatisfied([...held, ...missing], query)).toBe(true);
        expect(new Set(missing).size).toBe(missing.length);
        expect(missing.filter((permission) => compilePermissions(held).has(permission))).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("checkQuery", () => {
  it("finds no fault with queries at their bounds", () => {
    expect(checkQuery(nested(QUERY_DEPTH_MAX))).toBeUndefined();
    expect(checkQuery({ allOf: Array.from({ length: QUERY_TERMS_MAX - 1 }, () => the("a")) })).toBeUndefined();
    expect(checkQuery({ allOf: [] })).toBeUndefined();
    expect(checkQuery(the("documents.read"))).toBeUndefined();
  });

  it.each<[string, PermissionQuery, string, string]>([
    ["a text that is no permission", the("No"), "permission", "not a permission"],
    ["one below", { allOf: [the("a"), { anyOf: [the("")] }] }, "allOf[1].anyOf[0].permission", "not a permission"],
    ["an empty anyOf", { anyOf: [] }, "anyOf", "empty"],
    ["an empty anyOf below", { anyOf: [the("a"), { anyOf: [] }] }, "anyOf[1].anyOf", "empty"],
    ["a term of no kind", { allOf: [{} as PermissionQuery] }, "allOf[0]", "expected one of"],
    ["a term of two kinds", { permission: "a", allOf: [the("b")] }, "", "expected one of"],
    ["too many levels", nested(QUERY_DEPTH_MAX + 1), Array(QUERY_DEPTH_MAX).fill("allOf[0]").join("."), "8 levels"],
    ["too many terms", { allOf: Array.from({ length: QUERY_TERMS_MAX }, () => the("a")) }, "allOf[63]", "64"],
    ["too many empty groups", { allOf: Array.from({ length: 1000 }, () => ({ allOf: [] })) }, "allOf[63]", "64"],
  ])("names %s and where it is", (_, query, path, problem) => {
    expect(checkQuery(query)).toEqual({ path, problem: expect.stringContaining(problem) });
  });

  it("stops at the first level too many, however many follow", () => {
    expect(checkQuery(nested(100_000))).toBeDefined();
  });
});

function the(permission: string): PermissionQuery {
  return { permission };
}

function nested(depth: number): PermissionQuery {
  let query = the("a");
  for (let level = 1; level < depth; level++) query = { allOf: [query] };
  return query;
}

/** What a query means, said plainly. */
function isSatisfied(held: readonly string[], query: PermissionQuery): boolean {
  if ("permission" in query) return held.some((each) => grants(each, query.permission));
  if ("allOf" in query) return query.allOf.every((term) => isSatisfied(held, term));
  return query.anyOf.some((term) => isSatisfied(held, term));
}
