import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, StructSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Violation } from "../errors.ts";
import type { Json } from "../json.ts";

/**
 * What in a message could not be kept or answered, though its type allows it: text with a NUL or half of a surrogate pair, which
 * Postgres refuses, or that could steer a terminal; times, spans and numbers that have no JSON form. Secrets are left out, as they
 * are never kept. Deeper than the decoders allow it never gets.
 */
export function unstorable(schema: DescMessage, message: Message, path = ""): Violation[] {
  return schema.fields.flatMap((field) => {
    if (field.proto.options?.debugRedact) return [];
    const at = path === "" ? field.name : `${path}.${field.name}`;
    const value = valueIn(message, field);
    if (!Array.isArray(value)) return value === undefined ? [] : inValue(field, value, at);
    return value.flatMap((item, index) => inValue(field, item, `${at}[${index}]`));
  });
}

function valueIn(message: Message, field: DescField): unknown {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  if (field.oneof === undefined) return values[field.localName];
  const chosen = values[field.oneof.localName] as { readonly case?: string; readonly value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

function inValue(field: DescField, value: unknown, at: string): Violation[] {
  if (typeof value === "string") return inText(value, at);
  switch (field.message?.typeName) {
    case undefined:
      return [];
    case TimestampSchema.typeName:
      return isTime(value as Timestamp) ? [] : [{ field: at, description: "must be a time from the year 1 to 9999" }];
    case DurationSchema.typeName:
      return isSpan(value as Duration) ? [] : [{ field: at, description: "must be a span of at most 10,000 years" }];
    case StructSchema.typeName:
      return inJson(value as Json, at);
    default:
      return unstorable(field.message as DescMessage, value as Message, at);
  }
}

/** Names, reasons and the like, which people and logs show. What is attached as metadata may hold whatever JSON can say. */
function inText(text: string, at: string): Violation[] {
  if (isStorable(text) && !CONTROL.test(text)) return [];
  return [{ field: at, description: "must be well-formed Unicode without control characters" }];
}

/** C0 and C1 but for tab and line feed, which a reason of several lines may have. */
const CONTROL = /(?![\t\n])\p{Cc}/u;

function inJson(value: Json, at: string): Violation[] {
  if (typeof value === "string")
    return isStorable(value) ? [] : [{ field: at, description: "must be well-formed Unicode without NUL" }];
  if (typeof value === "number")
    return Number.isFinite(value) ? [] : [{ field: at, description: "must be a finite number" }];
  if (value === null || typeof value !== "object") return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => inJson(item, `${at}[${index}]`));
  return Object.entries(value).flatMap(([name, item]) =>
    isStorable(name)
      ? inJson(item, `${at}.${name}`)
      : [{ field: at, description: "must have names of well-formed Unicode without NUL" }],
  );
}

function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

const NANOS_MAX = 999_999_999;

/** The years 1 to 9999, as `google/protobuf/timestamp.proto` has it. */
function isTime({ seconds, nanos }: Timestamp): boolean {
  return seconds >= -62_135_596_800n && seconds <= 253_402_300_799n && nanos >= 0 && nanos <= NANOS_MAX;
}

/** 10,000 years either way, seconds and nanoseconds of one sign, as `google/protobuf/duration.proto` has it. */
function isSpan({ seconds, nanos }: Duration): boolean {
  const sameSign = seconds === 0n || nanos === 0 || seconds > 0n === nanos > 0;
  return sameSign && seconds >= -315_576_000_000n && seconds <= 315_576_000_000n && Math.abs(nanos) <= NANOS_MAX;
}
