import { type DescMessage, isMessage, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { EventSchema, KeySchema, KeyspaceSchema, TenantSchema, VerifyResponseSchema } from "@clavis/sdk";

/** The messages that answers are made of. What contains them is flat, and can be walked without a schema. */
const schemas = [KeySchema, KeyspaceSchema, TenantSchema, EventSchema, VerifyResponseSchema, TimestampSchema];
const bySchema = new Map<string, DescMessage>(schemas.map((schema) => [schema.typeName, schema]));

/**
 * An answer of the service in Protobuf's JSON, on one line. Fields that are empty or false are there as well, so that a
 * program need not tell "absent" from "empty"; only messages, such as an `expireTime`, may be missing.
 */
export function jsonLine(answer: object): string {
  return `${JSON.stringify(jsonOf(answer))}\n`;
}

function jsonOf(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value !== "object" || value === null) return value as JsonValue;
  const schema = schemaOf(value);
  if (schema !== undefined && isMessage(value, schema)) return toJson(schema, value, { alwaysEmitImplicit: true });
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) =>
      name.startsWith("$") || field === undefined ? [] : [[name, jsonOf(field)]],
    ),
  );
}

function schemaOf(value: object): DescMessage | undefined {
  return "$typeName" in value ? bySchema.get((value as Message).$typeName) : undefined;
}
