import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { holdsFrom } from "./holds-from.ts";

const now = Date.parse("2027-01-31T10:00:00.250Z");

describe("holdsFrom", () => {
  it.each([
    ["before now", -5_000, "2027-01-31T09:59:55Z"],
    ["now", 0, "2027-01-31T10:00:00Z"],
    ["so little ahead that it may be the clocks", 999, "2027-01-31T10:00:01Z"],
  ])("is a time where it is %s", (_, aheadMs, text) => {
    expect(holdsFrom(timestampFromMs(now + aheadMs), now)).toEqual({ text });
  });

  it("says how far ahead it is, never too little", () => {
    expect(holdsFrom(timestampFromMs(now + 62_100), now)).toEqual({
      text: "2027-01-31T10:01:03Z, in 1m3s: until then what was before may count",
      tone: "wary",
    });
  });
});
