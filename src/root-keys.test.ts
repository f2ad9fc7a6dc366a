import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSealer, type KeyUse, newRootKey } from "./root-keys.ts";

const [old, young] = [newRootKey("old"), newRootKey("young")];
const sealer = createSealer([young, old]);
const uses: readonly KeyUse[] = ["page-token", "replay"];
const bytes = fc.uint8Array({ maxLength: 200 });

describe("what is sealed", () => {
  it("is opened for the same use and salt", () => {
    fc.assert(
      fc.property(fc.constantFrom(...uses), bytes, fc.string(), (use, plain, salt) => {
        expect(Buffer.from(sealer.open(use, sealer.seal(use, plain, salt), salt) ?? []).equals(plain)).toBe(true);
      }),
    );
  });

  it("is opened for no other use, salt or root key", () => {
    const plain = Buffer.from("plain");
    const sealed = sealer.seal("replay", plain, "salt");
    expect(sealer.open("page-token", sealed, "salt")).toBeUndefined();
    expect(sealer.open("replay", sealed, "salt ")).toBeUndefined();
    expect(sealer.open("replay", sealed)).toBeUndefined();
    expect(createSealer([old]).open("replay", sealed, "salt")).toBeUndefined();
    expect(createSealer([newRootKey("young")]).open("replay", sealed, "salt")).toBeUndefined();
  });

  it("is opened by a root key that no longer seals", () => {
    const sealed = createSealer([old]).seal("replay", Buffer.from("plain"));
    expect(Buffer.from(sealer.open("replay", sealed) ?? []).toString()).toBe("plain");
  });

  it("is opened no more once any of its bits is another, or some are missing", () => {
    const sealed = sealer.seal("page-token", Buffer.from("position"));
    let tried = 0;
    for (let bit = 0; bit < sealed.length * 8; bit++, tried++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(sealer.open("page-token", changed), `bit ${bit}`).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++, tried++) {
      expect(sealer.open("page-token", sealed.subarray(0, length)), `length ${length}`).toBeUndefined();
    }
    expect(tried).toBeGreaterThan(8 * sealed.length);
  });

  it("tells nothing: the same text is sealed differently each time", () => {
    const plain = Buffer.from("the same secret text");
    const sealed = Array.from({ length: 100 }, () => Buffer.from(sealer.seal("replay", plain)).toString("hex"));
    expect(new Set(sealed).size).toBe(100);
    for (const text of sealed) expect(text).not.toContain(plain.toString("hex"));
  });

  it("is nothing that was never sealed, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        expect(sealer.open("replay", noise)).toBeUndefined();
        expect(sealer.open("replay", Buffer.concat([Buffer.from([5]), Buffer.from("young"), noise]))).toBeUndefined();
      }),
    );
  });
});
