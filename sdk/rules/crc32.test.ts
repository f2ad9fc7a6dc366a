import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { crc32 } from "./crc32.ts";

it.each([
  ["", 0],
  ["123456789", 0xcbf43926],
  ["The quick brown fox jumps over the lazy dog", 0x414fa339],
])("of %j is the published value", (text, expected) => {
  expect(crc32(text)).toBe(expected);
});

it("agrees with zlib on any ASCII text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii", maxLength: 600 }), (text) => {
      expect(crc32(text)).toBe(zlibCrc32(text));
    }),
  );
});
