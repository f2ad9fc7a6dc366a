import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { KeyState } from "../gen/clavis/v1/key_pb.ts";
import { CreateKeyRequestSchema, ListKeysRequestSchema } from "../gen/clavis/v1/key_service_pb.ts";
import {
  BatchVerifyRequestSchema,
  type PermissionQuerySchema,
  VerifyRequestSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { createRequestCheck } from "./request-check.ts";

const keyspaceId = `ks_${"0".repeat(26)}`;
const check = createRequestCheck();

type Query = MessageInitShape<typeof PermissionQuerySchema>;

describe("createRequestCheck", () => {
  it("has nothing to say of a sound request", () => {
    const query = allOf(one("a"), anyOf(one("b"), allOf(one("c"))));
    expect(fieldsOf(check(VerifyRequestSchema, create(VerifyRequestSchema, { keyspaceId, query })))).toEqual([]);
  });

  it("names each field that breaks the contract by its path", () => {
    const filter = { states: [KeyState.ACTIVE, KeyState.UNSPECIFIED], prefix: "x".repeat(49) };
    const problem = check(ListKeysRequestSchema, create(ListKeysRequestSchema, { pageSize: -1, filter }));
    expect(fieldsOf(problem)).toEqual(["filter.states[1]", "filter.prefix", "page_size"]);
  });

  it.each<[string, Query, string[]]>([
    ["no condition", {}, ["query.condition"]],
    ["no condition within one", allOf(one("a"), {}), ["query.all_of.queries[1].condition"]],
    [
      "no condition far within",
      anyOf(allOf(anyOf({}))),
      ["query.any_of.queries[0].all_of.queries[0].any_of.queries[0].condition"],
    ],
    ["an empty group", allOf(), ["query.all_of.queries"]],
    ["an empty group within one", anyOf(one("a"), allOf()), ["query.any_of.queries[1].all_of.queries"]],
    ["an empty permission within", allOf(one("")), ["query.all_of.queries[0].permission"]],
    ["a long one within", allOf(allOf(one("x".repeat(129)))), ["query.all_of.queries[0].all_of.queries[0].permission"]],
    [
      "several things",
      allOf({}, allOf(), one("")),
      [
        "query.all_of.queries[0].condition",
        "query.all_of.queries[1].all_of.queries",
        "query.all_of.queries[2].permission",
      ],
    ],
  ])("finds in a query at any depth: %s", (_, query, fields) => {
    expect(fieldsOf(check(VerifyRequestSchema, create(VerifyRequestSchema, { keyspaceId, query })))).toEqual(fields);
  });

  it.each([
    ["an escape", "a\u001b[31m", ["display_name"]],
    ["a bell", "a\u0007", ["display_name"]],
    ["C1", "a\u009b31m", ["display_name"]],
    ["NUL", "a\0b", ["display_name"]],
    ["half of a pair", "a\ud800", ["display_name"]],
    ["a line feed and a tab", "a\n\tb", []],
    ["any letters", "Ключ 鍵 🔑", []],
  ])("refuses text that nobody should be shown: %s", (_, displayName, fields) => {
    const metadata = { note: "a\u001b" };
    const request = create(CreateKeyRequestSchema, { keyspaceId, displayName, metadata });
    expect(fieldsOf(check(CreateKeyRequestSchema, request))).toEqual(fields);
  });

  it("leaves the items of a batch to a check of their own", () => {
    const requests = [{ keyspaceId: "nonsense" }, { keyspaceId, query: {} }];
    expect(fieldsOf(check(BatchVerifyRequestSchema, create(BatchVerifyRequestSchema, { requests })))).toEqual([]);
    expect(fieldsOf(check(BatchVerifyRequestSchema, create(BatchVerifyRequestSchema)))).toEqual(["requests"]);
  });
});

function fieldsOf(problem: ReturnType<typeof check>): string[] {
  if (problem === undefined) return [];
  const { failure } = problem;
  return failure.reason === "INVALID_REQUEST" ? failure.violations.map(({ field }) => field) : [failure.reason];
}

function one(permission: string): Query {
  return { condition: { case: "permission", value: permission } };
}

function allOf(...queries: Query[]): Query {
  return { condition: { case: "allOf", value: { queries } } };
}

function anyOf(...queries: Query[]): Query {
  return { condition: { case: "anyOf", value: { queries } } };
}
