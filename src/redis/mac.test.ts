import { createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createMac, MESSAGE_BYTES_MAX } from "./mac.ts";

it("is HMAC-SHA-256", () => {
  const keys = fc.uint8Array({ maxLength: 64 });
  const messages = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: "binary", maxLength: 300 }));
  fc.assert(
    fc.property(keys, fc.array(messages, { minLength: 1, maxLength: 5 }), (key, several) => {
      const mac = createMac(key);
      for (const message of several) {
        const expected = createHmac("sha256", key).update(message).digest("base64url");
        expect(mac.of(message)).toBe(expected);
        expect(mac.matches(message, Buffer.from(expected))).toBe(true);
      }
    }),
  );
});

it("matches no other message, key or length", () => {
  const mac = createMac(randomBytes(32));
  const made = Buffer.from(mac.of("message"));
  expect(mac.matches("massage", made)).toBe(false);
  expect(mac.matches("message", made.subarray(1))).toBe(false);
  expect(mac.matches("message", Buffer.concat([made, made]))).toBe(false);
  expect(createMac(randomBytes(32)).matches("message", made)).toBe(false);
});

it("takes no part of a message for the whole", () => {
  const mac = createMac(randomBytes(32));
  expect(() => mac.of("x".repeat(MESSAGE_BYTES_MAX + 1))).toThrow(RangeError);
  expect(() => mac.of("é".repeat(MESSAGE_BYTES_MAX / 2 + 1))).toThrow(RangeError);
  expect(mac.of("x".repeat(MESSAGE_BYTES_MAX))).not.toBe(mac.of("x".repeat(MESSAGE_BYTES_MAX - 1)));
});
