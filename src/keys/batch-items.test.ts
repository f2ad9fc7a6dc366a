import { expect, it } from "vitest";
import { DomainError, type Failure, invalidField } from "../errors.ts";
import { makeEach } from "./batch-items.ts";

const notGrantable = (item: number, ...permissions: string[]): Failure => ({
  reason: "PERMISSION_NOT_GRANTABLE",
  fields: [`keys[${item}].permissions`],
  permissions,
});
const tooLate = (item: number): Failure => ({
  reason: "EXPIRY_OUTSIDE_POLICY",
  fields: [`keys[${item}].ttl`],
  latest: 1,
});
const invalid = (item: number) => invalidField(`keys[${item}].metadata`, "no").failure;
const missing: Failure = { reason: "KEYSPACE_NOT_FOUND", keyspaceId: "ks_1" };

/** What is thrown where items are refused so; undefined stands for one that is not. */
function thrownFor(...refusals: (Failure | undefined)[]): Failure | undefined {
  try {
    makeEach(refusals, (refusal) => {
      if (refusal !== undefined) throw new DomainError(refusal);
    });
  } catch (error) {
    if (error instanceof DomainError) return error.failure;
    throw error;
  }
  return undefined;
}

it("makes each item, in order", () => {
  expect(makeEach(["a", "b"], (item, index) => `${item}${index}`)).toEqual(["a0", "b1"]);
});

it("names every item that has the first one's reason, and none of another", () => {
  expect(thrownFor(undefined, invalid(1), tooLate(2), invalid(3))).toMatchObject({
    reason: "INVALID_REQUEST",
    violations: [{ field: "keys[1].metadata" }, { field: "keys[3].metadata" }],
  });
  expect(thrownFor(notGrantable(0, "a", "b"), invalid(1), notGrantable(2, "b", "c"))).toEqual({
    reason: "PERMISSION_NOT_GRANTABLE",
    fields: ["keys[0].permissions", "keys[2].permissions"],
    permissions: ["a", "b", "c"],
  });
  expect(thrownFor(tooLate(0), tooLate(1))).toEqual({ ...tooLate(0), fields: ["keys[0].ttl", "keys[1].ttl"] });
});

it("throws the first as it is where the reason is of no item's terms", () => {
  expect(thrownFor(missing, invalid(1))).toEqual(missing);
});

it("names no more permissions than one key may have", () => {
  const refusals = Array.from({ length: 300 }, (_, item) => notGrantable(item, `p${item}`));
  expect(thrownFor(...refusals)).toMatchObject({ permissions: { length: 200 }, fields: { length: 300 } });
});

it("lets a bug through", () => {
  const bug = new Error("bug");
  expect(() =>
    makeEach([1], () => {
      throw bug;
    }),
  ).toThrow(bug);
});
