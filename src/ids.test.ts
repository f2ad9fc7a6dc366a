import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createIds, idOf, uuidOf } from "./ids.ts";

// https://github.com/jetify-com/typeid/blob/main/spec/valid.json
const vectors: readonly (readonly [suffix: string, uuid: string])[] = [
  ["00000000000000000000000000", "00000000-0000-0000-0000-000000000000"],
  ["00000000000000000000000001", "00000000-0000-0000-0000-000000000001"],
  ["0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"],
  ["0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"],
  ["00000000000000000000000010", "00000000-0000-0000-0000-000000000020"],
  ["7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  ["0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"],
  ["01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"],
];

describe("an id", () => {
  it.each(vectors)("writes its UUID as TypeID does: %s", (suffix, uuid) => {
    expect(idOf("key", uuid)).toBe(`key_${suffix}`);
    expect(uuidOf("key", `key_${suffix}`)).toBe(uuid);
  });

  it("is read back from any UUID", () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        expect(uuidOf("evt", idOf("evt", uuid))).toBe(uuid);
      }),
    );
  });

  it.each([
    "",
    "key_",
    "key_0",
    "key_8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "key_01H455VB4PEX5VSKNK084SN02Q",
    "key_01h455vb4pex5vsknk084sn02i",
    "key_01h455vb4pex5vsknk084sn02l",
    "key_01h455vb4pex5vsknk084sn02o",
    "key_01h455vb4pex5vsknk084sn02u",
    "key_01h455vb4pex5vsknk084sn02q0",
    "key_01h455vb4pex5vsknk084sn02q\n",
    " key_01h455vb4pex5vsknk084sn02q",
    "key-01h455vb4pex5vsknk084sn02q",
    "ks_01h455vb4pex5vsknk084sn02q",
    "keyx_01h455vb4pex5vsknk084sn02q",
    "01890a5d-ac96-774b-bcce-b302099a8057",
  ])("of a key it is not: %j", (text) => {
    expect(uuidOf("key", text)).toBeUndefined();
  });

  it("is never read from what is none", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const uuid = uuidOf("key", text);
        if (uuid !== undefined) expect(idOf("key", uuid)).toBe(text);
      }),
    );
  });

  it("is a UUIDv7 of its time", () => {
    const now = Date.UTC(2030, 5, 1, 12);
    const uuid = uuidOf("ten", createIds(() => now)("ten")) ?? "";
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(uuid.replaceAll("-", "").slice(0, 12), 16)).toBe(now);
  });

  it("sorts after those of earlier milliseconds, whatever chance does", () => {
    const bytes = fc.uint8Array({ minLength: 10, maxLength: 10 });
    const time = fc.integer({ min: 0, max: 2 ** 47 });
    fc.assert(
      fc.property(time, time, bytes, bytes, (one, other, oneChance, otherChance) => {
        fc.pre(one < other);
        const earlier = createIds(
          () => one,
          () => oneChance,
        )("key");
        const later = createIds(
          () => other,
          () => otherChance,
        )("key");
        expect(earlier < later).toBe(true);
      }),
    );
  });

  it("is never made twice", () => {
    const newId = createIds(() => 0);
    expect(new Set(Array.from({ length: 10_000 }, () => newId("key"))).size).toBe(10_000);
  });
});
