import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { aKnownSecret } from "../../test/harness/readings.ts";
import {
  BatchVerifyResponseSchema,
  BatchVerifyResultSchema,
  VerifyResponseSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { jsonOptions } from "../rpc/json-options.ts";
import { verifyToProto } from "../rpc/verify-proto.ts";
import type { VerifyAnswer } from "../verify/verify-service.ts";
import { createAnswerFormats } from "./answer-format.ts";

const known = aKnownSecret({
  facts: { displayName: "Jürgen", permissions: ["documents.*"], metadata: { plan: "pro" } },
});
const nothing: VerifyAnswer = { outcome: "not_found", missingPermissions: [], known: undefined, degraded: false };

const answers: readonly [string, VerifyAnswer][] = [
  ["that nobody knows it", nothing],
  ["of a key", { ...nothing, outcome: "valid", known }],
  ["of a key from memory, as Postgres is away", { ...nothing, outcome: "valid", known, degraded: true }],
  [
    "of a key that lacks permissions",
    { ...nothing, outcome: "insufficient_permissions", known, missingPermissions: ["a"] },
  ],
  ["of all at once", { outcome: "insufficient_permissions", known, missingPermissions: ["a.b", "c"], degraded: true }],
];

describe.each(answers)("an answer %s", (_, answer) => {
  const { binary, json } = createAnswerFormats();
  const stock = verifyToProto(answer);

  // Twice: what has been encoded once is remembered.
  it.each(["first", "second"])("is, the %s time, what the generated code would write", () => {
    expect(Buffer.from(binary.writeVerify(answer))).toEqual(Buffer.from(toBinary(VerifyResponseSchema, stock)));
    expect(Buffer.from(json.writeVerify(answer)).toString()).toBe(
      toJsonString(VerifyResponseSchema, stock, jsonOptions),
    );
  });
});

it("writes a batch as the generated code would, each answer for itself", () => {
  const { binary, json } = createAnswerFormats();
  const batch = answers.map(([, answer]) => ({ answer }));
  const stock = create(BatchVerifyResponseSchema, {
    results: answers.map(([, answer]) =>
      create(BatchVerifyResultSchema, { result: { case: "response", value: verifyToProto(answer) } }),
    ),
  });
  expect(Buffer.from(binary.writeBatch(batch))).toEqual(Buffer.from(toBinary(BatchVerifyResponseSchema, stock)));
  expect(Buffer.from(json.writeBatch(batch)).toString()).toBe(
    toJsonString(BatchVerifyResponseSchema, stock, jsonOptions),
  );
});
