import { expect, it } from "vitest";
import { isDenial, OUTCOMES } from "./outcome.ts";

it("turns the holder away at every outcome but the last, valid", () => {
  expect(OUTCOMES.filter((outcome) => !isDenial(outcome))).toEqual(["valid"]);
  expect(OUTCOMES.at(-1)).toBe("valid");
});

it("names each outcome once", () => {
  expect(new Set(OUTCOMES).size).toBe(OUTCOMES.length);
});
