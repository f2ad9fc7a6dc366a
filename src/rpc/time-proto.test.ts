import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { failedWith } from "../errors.ts";
import { durationFromProto, timeFromProto, timeToProto, timeToText } from "./time-proto.ts";

const timestamp = (seconds: bigint, nanos = 0) => create(TimestampSchema, { seconds, nanos });
const duration = (seconds: bigint, nanos = 0) => create(DurationSchema, { seconds, nanos });

describe("timeFromProto", () => {
  it.each([
    [timestamp(0n), 0],
    [timestamp(1n, 1), 1000],
    [timestamp(1n, 7_999_999), 1007],
    [timestamp(1n, 999_999_999), 1999],
    [timestamp(253_402_300_799n, 999_999_999), 253_402_300_799_999],
  ])("cuts off what is finer than a millisecond: %o", (proto, time) => {
    expect(timeFromProto(proto, "expire_time")).toBe(time);
  });

  it.each([timestamp(-1n, 999_999_999), timestamp(253_402_300_800n), timestamp(2n ** 63n - 1n)])(
    "refuses a time that JSON cannot say: %o",
    (proto) => {
      expect(() => timeFromProto(proto, "expire_time")).toThrow(
        expect.toSatisfy((error) => failedWith(error, "INVALID_REQUEST")),
      );
    },
  );

  it("gives back what timeToProto made", () => {
    const time = 1_795_471_609_007;
    expect(timeFromProto(timeToProto(time), "expire_time")).toBe(time);
    expect(timeToText(time)).toBe("2026-11-23T22:06:49.007Z");
  });
});

describe("durationFromProto", () => {
  it.each([
    [duration(0n), 0],
    [duration(0n, 1), 1],
    [duration(1n, 400_000), 1001],
    [duration(3_155_760_000n), 3_155_760_000_000],
  ])("rounds up what is finer than a millisecond: %o", (proto, ms) => {
    expect(durationFromProto(proto)).toBe(ms);
  });
});
