import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { createValidator, type Violation as RuleViolation } from "@bufbuild/protovalidate";
import { DomainError, type Violation } from "../errors.ts";

/** Holds a request to the contract: what INVALID_REQUEST says of it, or undefined if there is nothing to say. */
export type RequestCheck = <Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
) => DomainError | undefined;

/** The constraints in the contract's options, and that all text can be stored. Compiles the rules of each message once. */
export function createRequestCheck(): RequestCheck {
  const validator = createValidator();
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === "error") throw result.error;
    const violations = [
      ...(result.kind === "invalid" ? result.violations.map(fromRule) : []),
      ...unstorableText(message),
    ];
    return violations.length === 0 ? undefined : new DomainError({ reason: "INVALID_REQUEST", violations });
  };
}

function fromRule(violation: RuleViolation): Violation {
  return { field: fieldPath(violation), description: violation.message };
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

/**
 * Text that Postgres could not keep: with a NUL, or with half of a surrogate pair, which only JSON can bring in. Deeper than the
 * decoders allow it never gets.
 */
function unstorableText(value: unknown, path = ""): Violation[] {
  if (typeof value === "string") {
    return isStorable(value) ? [] : [{ field: path, description: "must be well-formed Unicode without NUL" }];
  }
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => unstorableText(item, `${path}[${index}]`));
  return Object.entries(value as Message).flatMap(([name, item]) => {
    if (name.startsWith("$")) return [];
    const step = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const below = unstorableText(item, path === "" ? step : `${path}.${step}`);
    return isStorable(name)
      ? below
      : [{ field: path, description: "must have names of well-formed Unicode without NUL" }];
  });
}

function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
