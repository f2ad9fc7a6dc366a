import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchVerifyRequestSchema, VerifyRequestSchema } from "../gen/clavis/v1/verify_service_pb.ts";
import { readPlainBatch, readPlainVerify } from "./read-request.ts";

const plain = { secret: "acme_live_abc", keyspaceId: "ks_1", permissions: ["a.b", "c"], clientIp: "192.0.2.7" };

const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom("", "a".repeat(127), "a".repeat(128)),
);
const request = fc.record({
  secret: text,
  keyspaceId: text,
  permissions: fc.array(text, { maxLength: 4 }),
  clientIp: text,
});
const batch = fc.record({ requests: fc.array(fc.oneof(request, fc.constant(plain)), { maxLength: 5 }) });

/** What a message becomes on its way through hands that are not ours: bytes changed, taken out, put in; cut off; put together. */
function damaged(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> {
  const byte = fc.oneof(fc.constantFrom(0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x00, 0x7f, 0x80, 0xff), fc.nat({ max: 255 }));
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.array(byte, { maxLength: 2 })), { maxLength: 3 });
  return fc.tuple(bytes, edits, bytes, fc.boolean()).map(([first, some, second, both]) => {
    const all = [...first, ...(both ? second : [])];
    for (const [at, taken, put] of some) all.splice(at % (all.length + 1), taken, ...put);
    return Buffer.from(all);
  });
}

describe.each([
  { name: "VerifyRequest", schema: VerifyRequestSchema as DescMessage, read: readPlainVerify, some: verifies() },
  {
    name: "BatchVerifyRequest",
    schema: BatchVerifyRequestSchema as DescMessage,
    read: readPlainBatch,
    some: batches(),
  },
])("a plain $name", ({ schema, read, some }) => {
  it("is what the generated code makes of the same bytes, or is left to it", () => {
    let taken = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          some.map((bytes) => Buffer.from(bytes)),
          damaged(some),
        ),
        (bytes) => {
          const message = read(bytes);
          if (message === undefined) return;
          taken += 1;
          expect(message).toStrictEqual(fromBinary(schema, bytes));
        },
      ),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it("is left to it wherever bytes are anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const message = read(Buffer.from(bytes));
        if (message !== undefined) expect(message).toStrictEqual(fromBinary(schema, bytes));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("reading", () => {
  it("takes what nearly all requests are like", () => {
    expect(readPlainVerify(Buffer.from(bytesOf(plain)))).toStrictEqual(create(VerifyRequestSchema, plain));
    const requests = Array.from({ length: 64 }, () => plain);
    const message = create(BatchVerifyRequestSchema, { requests });
    expect(readPlainBatch(Buffer.from(toBinary(BatchVerifyRequestSchema, message)))).toStrictEqual(message);
  });

  it.each([
    ["letters beyond ASCII", bytesOf({ ...plain, secret: "ä" })],
    ["a query", bytesOf({ ...plain, query: { condition: { case: "permission", value: "a" } } })],
    ["a field that is not known", Uint8Array.of(0x32, 0x01, 0x61)],
    ["a field of another kind", Uint8Array.of(0x08, 0x01)],
    ["a text that goes on beyond the end", Uint8Array.of(0x0a, 0x02, 0x61)],
    ["a tag alone", Uint8Array.of(0x0a)],
  ])("leaves %s", (_, bytes) => {
    expect(readPlainVerify(Buffer.from(bytes))).toBeUndefined();
  });
});

function verifies() {
  return request.map(bytesOf);
}

function batches() {
  return batch.map((init) => toBinary(BatchVerifyRequestSchema, create(BatchVerifyRequestSchema, init)));
}

function bytesOf(init: Parameters<typeof create<typeof VerifyRequestSchema>>[1]): Uint8Array {
  return toBinary(VerifyRequestSchema, create(VerifyRequestSchema, init));
}
