import { create } from "@bufbuild/protobuf";
import { DurationSchema, durationMs, TimestampSchema, timestampDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, expectTypeOf, it } from "vitest";
import { ClavisError } from "../errors/clavis-error.ts";
import {
  BatchCreateKeysRequestSchema,
  type CreateKeyRequest,
  CreateKeyRequestSchema,
} from "../gen/clavis/v1/key_service_pb.ts";
import { type Input, messageFrom } from "./input.ts";
import type { Span } from "./span.ts";

describe("messageFrom", () => {
  it("takes a Date for a time", () => {
    const expireTime = new Date("2027-01-02T03:04:05.678Z");
    const { expiry } = messageFrom(CreateKeyRequestSchema, { expireTime });
    expect(expiry.case === "expireTime" && timestampDate(expiry.value)).toEqual(expireTime);
  });

  it.each<[Span, number]>([
    [{ days: 30 }, 30 * 86_400_000],
    [{ hours: 1, minutes: 2, seconds: 3, milliseconds: 4 }, 3_723_004],
    [{ seconds: 0 }, 0],
    [{ seconds: -1.5 }, -1_500],
    [{ days: 36_500 }, 36_500 * 86_400_000],
  ])("takes the span %j", (span, ms) => {
    const { expiry } = messageFrom(CreateKeyRequestSchema, { ttl: span });
    expect(expiry.case === "ttl" && durationMs(expiry.value)).toBe(ms);
  });

  it("takes messages as they came in a response", () => {
    const notBeforeTime = create(TimestampSchema, { seconds: 5n });
    const ttl = create(DurationSchema, { seconds: 7n });
    const message = messageFrom(CreateKeyRequestSchema, { notBeforeTime, ttl });
    expect(message).toMatchObject({ notBeforeTime, expiry: { case: "ttl", value: ttl } });
  });

  it("takes plain objects for metadata, and lists of messages", () => {
    const keys = [{ displayName: "a", metadata: { plan: { name: "pro" } }, ttl: { days: 1 } }, { displayName: "b" }];
    const message = messageFrom(BatchCreateKeysRequestSchema, { keys });
    expect(message.keys).toMatchObject([
      { displayName: "a", metadata: { plan: { name: "pro" } }, expiry: { case: "ttl", value: { seconds: 86_400n } } },
      { displayName: "b", expiry: { case: undefined } },
    ]);
  });

  it("leaves out what is undefined", () => {
    const message = messageFrom(CreateKeyRequestSchema, { displayName: "a", expireTime: undefined, ttl: { days: 1 } });
    expect(message.expiry.case).toBe("ttl");
  });

  it("refuses all that it cannot read, by the contract's names", () => {
    const input = {
      displayNmae: "a",
      expireTime: new Date(Number.NaN),
      ttl: { days: 1 },
      notBeforeTime: "2027-01-01",
    } as unknown as Input<CreateKeyRequest>;
    expect(violationsOf(() => messageFrom(CreateKeyRequestSchema, input))).toEqual([
      ["displayNmae", "no such field"],
      ["expire_time", "expected a valid Date"],
      ["ttl", "only one of expire_time, ttl may be given"],
      ["not_before_time", "expected an object"],
    ]);
  });

  it.each([{}, { weeks: 1 }, { days: "1" }, { days: Number.NaN }, { days: 1e9 }])("refuses the span %j", (span) => {
    const keys = [{ displayName: "a" }, { displayName: "b", ttl: span as Span }];
    expect(violationsOf(() => messageFrom(BatchCreateKeysRequestSchema, { keys }))).toEqual([
      ["keys[1].ttl", "expected a span such as { days: 30 }"],
    ]);
  });
});

describe("Input", () => {
  it("is typed by the contract", () => {
    expectTypeOf<Input<CreateKeyRequest>["ttl"]>().toExtend<Span | object | undefined>();
    expectTypeOf<{ ttl: { days: 1 }; permissions: readonly string[] }>().toExtend<Input<CreateKeyRequest>>();
    expectTypeOf<{ expireTime: Date }>().toExtend<Input<CreateKeyRequest>>();
    expectTypeOf<{ ttl: 30 }>().not.toExtend<Input<CreateKeyRequest>>();
    expectTypeOf<{ expireTime: string }>().not.toExtend<Input<CreateKeyRequest>>();
    expectTypeOf<Input<CreateKeyRequest>>().not.toHaveProperty("expiry");
    expectTypeOf<Input<CreateKeyRequest>>().not.toHaveProperty("$typeName");
  });
});

function violationsOf(action: () => unknown): [string, string][] {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ClavisError)) throw error;
    expect(error).toMatchObject({ reason: "INVALID_REQUEST", code: "INVALID_ARGUMENT", retryable: false });
    return error.violations.map(({ field, description }) => [field, description]);
  }
  throw new Error("nothing was refused");
}
