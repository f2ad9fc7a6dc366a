import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKeyState, type KeyFacts, type KeyState } from "./key-state.ts";

const NOW = Date.UTC(2025, 0, 1);

const times = fc.integer({ min: NOW - 5, max: NOW + 5 });
const keys: fc.Arbitrary<KeyFacts> = fc.record({
  revokeTime: fc.option(times),
  expireTime: fc.option(times),
  notBeforeTime: fc.option(times),
  disabled: fc.boolean(),
});

describe("deriveKeyState", () => {
  it.each<[string, Partial<KeyFacts>, KeyState]>([
    ["nothing set", {}, "active"],
    ["disabled", { disabled: true }, "disabled"],
    ["revoked", { revokeTime: NOW - 1 }, "revoked"],
    ["revoked by a clock that is ahead", { revokeTime: NOW + 1000 }, "revoked"],
    ["a millisecond before its expiry", { expireTime: NOW + 1 }, "active"],
    ["at its expiry", { expireTime: NOW }, "expired"],
    ["a millisecond after its expiry", { expireTime: NOW - 1 }, "expired"],
    ["a millisecond before it becomes valid", { notBeforeTime: NOW + 1 }, "not_yet_valid"],
    ["the moment it becomes valid", { notBeforeTime: NOW }, "active"],
    ["expired before the epoch", { expireTime: 0 }, "expired"],
    ["revoked and expired", { revokeTime: NOW, expireTime: NOW }, "revoked"],
    ["expired and not yet valid", { expireTime: NOW, notBeforeTime: NOW + 1 }, "expired"],
    ["not yet valid and disabled", { notBeforeTime: NOW + 1, disabled: true }, "not_yet_valid"],
  ])("%s", (_, facts, state) => {
    expect(deriveKeyState(aKey(facts), NOW)).toBe(state);
  });

  it("never calls a revoked key anything else, whatever the clock says", () => {
    fc.assert(
      fc.property(keys, fc.integer(), (key, now) => {
        expect(deriveKeyState({ ...key, revokeTime: NOW }, now)).toBe("revoked");
      }),
    );
  });

  it("never lets an expired key come back as time goes on", () => {
    fc.assert(
      fc.property(keys, times, fc.nat(), (key, now, later) => {
        fc.pre(deriveKeyState(key, now) === "expired");
        expect(deriveKeyState(key, now + later)).toBe("expired");
      }),
    );
  });
});

function aKey(facts: Partial<KeyFacts>): KeyFacts {
  return { revokeTime: null, expireTime: null, notBeforeTime: null, disabled: false, ...facts };
}
