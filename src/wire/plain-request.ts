import { type DescField, getOption } from "@bufbuild/protobuf";
import { type FieldRules, field as rulesOf } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { type VerifyRequest, VerifyRequestSchema } from "../gen/clavis/v1/verify_service_pb.ts";
import type { RequestCheck } from "../rpc/request-check.ts";

/** The same check, but for plain requests to Verify at next to no cost. */
export function withPlainRequests(check: RequestCheck): RequestCheck {
  return (schema, message) =>
    message.$typeName === VerifyRequestSchema.typeName && isPlain(message as unknown as VerifyRequest)
      ? undefined
      : check(schema, message);
}

/**
 * Whether a request is of the kind that nearly all are of, and keeps the contract: no query, a secret and permissions of plain
 * letters, an IPv4 address. Costs a hundredth of the full check, which all others take. What the contract bounds is read from it.
 */
export function isPlain({ secret, keyspaceId, permissions, query, clientIp }: VerifyRequest): boolean {
  return (
    query === undefined &&
    // Counted in UTF-16 code units, of which there are never fewer than characters.
    secret.length <= secretLengthMax &&
    keyspacePattern.test(keyspaceId) &&
    permissions.length <= permissionsMax &&
    permissions.every((text) => text.length <= permissionLengthMax && PLAIN.test(text)) &&
    (clientIp === "" || IPV4.test(clientIp))
  );
}

const PLAIN = /^[\x21-\x7e]+$/;

/** Four numbers up to 255, without leading zeros. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

const { field } = VerifyRequestSchema;
const secretLengthMax = Number(stringRules(field.secret).maxLen);
const keyspacePattern = new RegExp(stringRules(field.keyspaceId).pattern);
const { maxItems: permissionsMax, items } = listRules(field.permissions);
const permissionLengthMax = Number(items?.type.case === "string" ? items.type.value.maxLen : 0);

type Rules<Case extends FieldRules["type"]["case"]> = Extract<FieldRules["type"], { case: Case }>["value"];

function stringRules(desc: DescField): Rules<"string"> {
  const { type } = getOption(desc, rulesOf);
  if (type.case !== "string") throw new Error(`${desc.name} has no rules for text`);
  return type.value;
}

function listRules(desc: DescField): Rules<"repeated"> {
  const { type } = getOption(desc, rulesOf);
  if (type.case !== "repeated") throw new Error(`${desc.name} has no rules for lists`);
  return type.value;
}
