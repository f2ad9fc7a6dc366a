import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { createValidator, type Violation as RuleViolation } from "@bufbuild/protovalidate";
import { DomainError, type Violation } from "../errors.ts";
import { BatchVerifyRequestSchema, PermissionQuerySchema } from "../gen/clavis/v1/verify_service_pb.ts";
import { nestedQueries } from "./nested-queries.ts";
import { unstorable } from "./storable.ts";

/** Holds a request to the contract: what INVALID_REQUEST says of it, or undefined if there is nothing to say. */
export type RequestCheck = <Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
) => DomainError | undefined;

/** The constraints in the contract's options, and that all of it can be stored. Compiles the rules of each message once. */
export function createRequestCheck(): RequestCheck {
  const validator = createValidator();

  function broken<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, path = ""): Violation[] {
    const result = validator.validate(schema, message);
    if (result.kind === "error") throw result.error;
    return result.kind === "invalid" ? result.violations.map((violation) => fromRule(violation, path)) : [];
  }

  return (schema, message) => {
    const violations = [
      ...broken(schema, message),
      ...nestedQueries(message).flatMap(({ query, path }) => broken(PermissionQuerySchema, query, `${path}.`)),
      ...(checkedByItem.has(schema) ? [] : unstorable(schema, message)),
    ];
    return violations.length === 0 ? undefined : new DomainError({ reason: "INVALID_REQUEST", violations });
  };
}

/** Requests whose items are held to the contract one by one, so that a bad one does not spoil the rest. */
const checkedByItem: ReadonlySet<DescMessage> = new Set([BatchVerifyRequestSchema]);

function fromRule(violation: RuleViolation, path: string): Violation {
  return { field: path + fieldPath(violation), description: violation.message };
}

function fieldPath({ field }: RuleViolation): string {
  return field.map(stepText).join("").slice(1);
}

function stepText(step: RuleViolation["field"][number]): string {
  switch (step.kind) {
    case "field":
    case "oneof":
      return `.${step.name}`;
    case "list_sub":
      return `[${step.index}]`;
    case "map_sub":
      return `[${JSON.stringify(String(step.key))}]`;
    case "extension":
      return `.[${step.typeName}]`;
  }
}
