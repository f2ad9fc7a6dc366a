import { describe, expect, it } from "vitest";
import { formatInstant, parseInstant } from "./instant.ts";

describe("parseInstant", () => {
  it.each([
    ["2027-01-31", "2027-01-31T00:00:00Z"],
    ["2027-01-31T12:00Z", "2027-01-31T12:00:00Z"],
    ["2027-01-31T12:00:00.5+02:00", "2027-01-31T10:00:00.500Z"],
  ])("reads %j", (text, instant) => {
    const parsed = parseInstant(text);
    expect(parsed && formatInstant(parsed)).toBe(instant);
  });

  it.each(["", "2027", "2027-01", "2027-01-31T12:00:00", "2027-13-01", "31.1.2027", "tomorrow", "1800000000"])(
    "refuses %j, which no zone or no calendar makes a moment of",
    (text) => {
      expect(parseInstant(text)).toBeUndefined();
    },
  );
});
