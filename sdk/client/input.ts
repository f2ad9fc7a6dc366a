import {
  create,
  type DescField,
  type DescMessage,
  isMessage,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
  timestampFromDate,
} from "@bufbuild/protobuf/wkt";
import { invalidRequest, type Violation } from "../errors/clavis-error.ts";
import { durationFromSpan, type Span } from "./span.ts";

/**
 * What may be given for a message of the contract: its fields by name, times as `Date`, spans of time as `{ days: 30 }`,
 * and of alternatives (`expireTime` or `ttl`) the one that is meant, without a wrapper. Messages that came in a response
 * may be given as they are.
 */
export type Input<T> = T extends Timestamp
  ? Date | Timestamp
  : T extends Duration
    ? Span | Duration
    : T extends readonly (infer Item)[]
      ? readonly Input<Item>[]
      : T extends Message
        ? InputFields<T>
        : T;

/** `T` with the fields `F` no longer optional. */
export type Requires<T, F extends keyof T> = T & { [P in F]-?: Exclude<T[P], undefined> };

type InputFields<T extends Message> = {
  [P in keyof T as P extends `$${string}` ? never : T[P] extends Alternatives ? never : P]?: Input<T[P]> | undefined;
} & { [C in CasesOf<T> as C["case"]]?: Input<C["value"]> | undefined };

/** How generated code holds a `oneof`. */
type Alternatives = { case: string | undefined; value?: unknown };
type CasesOf<T> = { [P in keyof T]-?: T[P] extends Alternatives ? Extract<T[P], { case: string }> : never }[keyof T];

/**
 * The message that `input` describes.
 *
 * @throws ClavisError `INVALID_REQUEST` naming every field that is unknown or cannot be read: a misspelt `permissions`
 * left out in silence would ask for less than was meant
 */
export function messageFrom<Schema extends DescMessage>(
  schema: Schema,
  input: Input<MessageShape<Schema>>,
): MessageShape<Schema> {
  const violations: Violation[] = [];
  const message = build(schema, input as Fields, "", violations);
  if (violations.length > 0) throw invalidRequest(violations);
  return message as MessageShape<Schema>;
}

type Fields = Readonly<Record<string, unknown>>;

function build(schema: DescMessage, input: Fields, path: string, violations: Violation[]): Message {
  const init: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined || name.startsWith("$")) continue;
    const field = schema.field[name];
    if (field === undefined) {
      violations.push({ field: path + name, description: "no such field" });
      continue;
    }
    const built = valueFor(field, value, path + field.name, violations);
    const oneof = field.oneof?.localName;
    if (oneof === undefined) {
      init[name] = built;
    } else if (init[oneof] === undefined) {
      init[oneof] = { case: name, value: built };
    } else {
      violations.push({ field: path + field.name, description: `only one of ${oneofNames(field)} may be given` });
    }
  }
  return create(schema, init);
}

function valueFor(field: DescField, value: unknown, path: string, violations: Violation[]): unknown {
  const { message } = field;
  // Structs are given as the plain objects that they stand for.
  if (message === undefined || message.typeName === "google.protobuf.Struct") return value;
  if (!Array.isArray(value)) return messageFor(message, value, path, violations);
  return value.map((item, index) => messageFor(message, item, `${path}[${index}]`, violations));
}

function messageFor(schema: DescMessage, value: unknown, path: string, violations: Violation[]): Message | undefined {
  if (isMessage(value, schema)) return value;
  if (typeof value === "object" && value !== null) {
    if (schema.typeName === TimestampSchema.typeName) return timestampFor(value, path, violations);
    if (schema.typeName === DurationSchema.typeName) return durationFor(value, path, violations);
    return build(schema, value as Fields, `${path}.`, violations);
  }
  violations.push({ field: path, description: "expected an object" });
  return undefined;
}

function timestampFor(value: object, path: string, violations: Violation[]): Timestamp | undefined {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return timestampFromDate(value);
  violations.push({ field: path, description: "expected a valid Date" });
  return undefined;
}

function durationFor(value: Span, path: string, violations: Violation[]): Duration | undefined {
  const duration = durationFromSpan(value);
  if (duration === undefined) violations.push({ field: path, description: "expected a span such as { days: 30 }" });
  return duration;
}

function oneofNames(field: DescField): string {
  return field.oneof?.fields.map(({ name }) => name).join(", ") ?? field.name;
}
