import {
  create,
  fromBinary,
  fromJsonString,
  type MessageShape,
  toBinary,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";
import type { Outcome } from "@clavis/sdk/rules";
import {
  BatchVerifyRequestSchema,
  VerifiedKeySchema,
  VerifyRequestSchema,
  VerifyResponseSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import { jsonOptions } from "../rpc/json-options.ts";
import { verifiedKeyToProto, verifyToProto } from "../rpc/verify-proto.ts";
import type { BatchAnswer } from "../rpc/verify-service.ts";
import type { KnownSecret } from "../verify/known-secret.ts";
import type { VerifyAnswer } from "../verify/verify-service.ts";
import type { Encoding } from "./lean-request.ts";
import { readPlainBatch, readPlainVerify } from "./read-request.ts";

type VerifyRequest = MessageShape<typeof VerifyRequestSchema>;
type BatchVerifyRequest = MessageShape<typeof BatchVerifyRequestSchema>;

/**
 * Reads requests and writes answers, byte by byte as the generated code would. What of an answer belongs to a key is encoded once
 * for each `KnownSecret`, and let go with it. Readers throw what is for the stock handler to put into words.
 */
export interface AnswerFormat {
  readVerify(bytes: Buffer): VerifyRequest;
  readBatch(bytes: Buffer): BatchVerifyRequest;
  writeVerify(answer: VerifyAnswer): Uint8Array;
  writeBatch(answers: readonly BatchAnswer[]): Uint8Array;
}

export function createAnswerFormats(): Record<Encoding, AnswerFormat> {
  return { binary: createBinaryFormat(), json: createJsonFormat() };
}

function createBinaryFormat(): AnswerFormat {
  const keys = new WeakMap<KnownSecret, Uint8Array>();
  const heads = new Map<Outcome, Uint8Array>();

  /** The parts of a VerifyResponse: outcome and message, key, missing permissions. */
  function parts({ outcome, known, missingPermissions, degraded }: VerifyAnswer): readonly Uint8Array[] {
    const head = remembered(heads, outcome, () => toBinary(VerifyResponseSchema, headOf(outcome)));
    const key =
      known && remembered(keys, known, () => field(3, toBinary(VerifiedKeySchema, verifiedKeyToProto(known))));
    const missing =
      missingPermissions.length > 0 &&
      toBinary(VerifyResponseSchema, create(VerifyResponseSchema, { missingPermissions: [...missingPermissions] }));
    return [head, ...(key ? [key] : []), ...(missing ? [missing] : []), ...(degraded ? [degradedField] : [])];
  }

  return {
    readVerify: (bytes) => readPlainVerify(bytes) ?? fromBinary(VerifyRequestSchema, bytes),
    readBatch: (bytes) => readPlainBatch(bytes) ?? fromBinary(BatchVerifyRequestSchema, bytes),
    writeVerify: (answer) => Buffer.concat(parts(answer)),
    writeBatch: (answers) =>
      Buffer.concat(
        answers.map((one) =>
          field(1, "error" in one ? field(2, toBinary(StatusSchema, one.error)) : field(1, ...parts(one.answer))),
        ),
      ),
  };
}

function createJsonFormat(): AnswerFormat {
  const keys = new WeakMap<KnownSecret, string>();
  const heads = new Map<Outcome, string>();
  // A byte order mark is passed over, and what is no UTF-8 replaced.
  const decoder = new TextDecoder();

  function write({ outcome, known, missingPermissions, degraded }: VerifyAnswer): string {
    // Without its closing brace.
    const head = remembered(heads, outcome, () =>
      toJsonString(VerifyResponseSchema, headOf(outcome), jsonOptions).slice(0, -1),
    );
    const key =
      known === undefined
        ? ""
        : remembered(
            keys,
            known,
            () => `,"key":${toJsonString(VerifiedKeySchema, verifiedKeyToProto(known), jsonOptions)}`,
          );
    const missing =
      missingPermissions.length === 0 ? "" : `,"missingPermissions":${JSON.stringify(missingPermissions)}`;
    return `${head}${key}${missing}${degraded ? ',"degraded":true' : ""}}`;
  }

  return {
    readVerify: (bytes) => fromJsonString(VerifyRequestSchema, decoder.decode(bytes), jsonOptions),
    readBatch: (bytes) => fromJsonString(BatchVerifyRequestSchema, decoder.decode(bytes), jsonOptions),
    writeVerify: (answer) => Buffer.from(write(answer)),
    writeBatch(answers) {
      const results = answers.map((one) =>
        "error" in one
          ? `{"error":${JSON.stringify(toJson(StatusSchema, one.error, jsonOptions))}}`
          : `{"response":${write(one.answer)}}`,
      );
      return Buffer.from(`{"results":[${results.join(",")}]}`);
    },
  };
}

const degradedField = toBinary(VerifyResponseSchema, create(VerifyResponseSchema, { degraded: true }));

/** The part of an answer that all of an outcome have in common. */
function headOf(outcome: Outcome) {
  return verifyToProto({ outcome, missingPermissions: [], known: undefined, degraded: false });
}

function remembered<Key, Value>(
  values: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const known = values.get(key);
  if (known !== undefined) return known;
  const value = make();
  values.set(key, value);
  return value;
}

/** A length-delimited field: tag, length, bytes (https://protobuf.dev/programming-guides/encoding/). */
function field(number: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const head = [(number << 3) | 2];
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  return Buffer.concat([Uint8Array.from(head), ...content]);
}
