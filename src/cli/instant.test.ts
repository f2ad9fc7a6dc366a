import { describe, expect, it } from "vitest";
import { formatInstant, parseInstant } from "./instant.ts";

describe("parseInstant", () => {
  it.each([
    ["2027-01-31", "2027-01-31T00:00:00.000Z"],
    ["2027-01-31T12:00Z", "2027-01-31T12:00:00.000Z"],
    ["2027-01-31T12:00:00.5+02:00", "2027-01-31T10:00:00.500Z"],
  ])("reads %j", (text, instant) => {
    expect(parseInstant(text)?.toISOString()).toBe(instant);
  });

  it.each(["", "2027", "2027-01", "2027-01-31T12:00:00", "2027-13-01", "31.1.2027", "tomorrow", "1800000000"])(
    "refuses %j, which no zone or no calendar makes a moment of",
    (text) => {
      expect(parseInstant(text)).toBeUndefined();
    },
  );
});

describe("formatInstant", () => {
  it("leaves out what is less than a second", () => {
    expect(formatInstant(new Date("2027-01-31T10:00:00.999Z"))).toBe("2027-01-31T10:00:00Z");
  });
});
