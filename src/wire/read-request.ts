import {
  type BatchVerifyRequest,
  BatchVerifyRequestSchema,
  type VerifyRequest,
  VerifyRequestSchema,
} from "../gen/clavis/v1/verify_service_pb.ts";

/*
 * Reads the messages that nearly all are like: known fields of text, in ASCII, each shorter than 128 bytes. Whatever else there is,
 * right or wrong, is left to the generated code, which comes to the same messages at several times the cost.
 * (https://protobuf.dev/programming-guides/encoding/)
 */

/** A VerifyRequest; undefined if it is not of that kind. */
export function readPlainVerify(bytes: Buffer): VerifyRequest | undefined {
  return readVerify(bytes, 0, bytes.byteLength);
}

/** A BatchVerifyRequest of such; undefined if it is not. */
export function readPlainBatch(bytes: Buffer): BatchVerifyRequest | undefined {
  const requests: VerifyRequest[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const low = bytes[at + 1] ?? NO_LENGTH;
    // Lengths of one byte or two: seven bits in each, the lower first.
    const isLong = low >= MORE;
    const high = isLong ? (bytes[at + 2] ?? NO_LENGTH) : 0;
    const start = at + (isLong ? 3 : 2);
    const end = start + (isLong ? low - MORE + high * MORE : low);
    if (bytes[at] !== tags.requests || high >= MORE || end > bytes.byteLength) return undefined;
    const request = readVerify(bytes, start, end);
    if (request === undefined) return undefined;
    requests.push(request);
    at = end;
  }
  return { $typeName: BatchVerifyRequestSchema.typeName, requests };
}

function readVerify(bytes: Buffer, start: number, end: number): VerifyRequest | undefined {
  // A byte with this bit is part of a longer number, or of a letter beyond ASCII.
  for (let index = start; index < end; index++) if ((bytes[index] ?? MORE) >= MORE) return undefined;
  let secret = "";
  let keyspaceId = "";
  let clientIp = "";
  const permissions: string[] = [];
  let at = start;
  while (at < end) {
    const tag = bytes[at];
    const next = at + 2 + (bytes[at + 1] ?? NO_LENGTH);
    if (at + 2 > end || next > end) return undefined;
    // Each text by itself: a part of one text would keep all of it in memory, the secret included.
    const text = bytes.toString("latin1", at + 2, next);
    if (tag === tags.secret) secret = text;
    else if (tag === tags.keyspaceId) keyspaceId = text;
    else if (tag === tags.permissions) permissions.push(text);
    else if (tag === tags.clientIp) clientIp = text;
    else return undefined;
    at = next;
  }
  return { $typeName: VerifyRequestSchema.typeName, secret, keyspaceId, permissions, clientIp };
}

/** In all bytes of a number but the last. */
const MORE = 0x80;

/** Leads beyond any end. */
const NO_LENGTH = Number.POSITIVE_INFINITY;

const { field } = VerifyRequestSchema;

/** What stands before each field: its number, and that a length and as many bytes follow. */
const tags = {
  secret: tagOf(field.secret),
  keyspaceId: tagOf(field.keyspaceId),
  permissions: tagOf(field.permissions),
  clientIp: tagOf(field.clientIp),
  requests: tagOf(BatchVerifyRequestSchema.field.requests),
};

function tagOf({ number }: { readonly number: number }): number {
  return (number << 3) | 2;
}
