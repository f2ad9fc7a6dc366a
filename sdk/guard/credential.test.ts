import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { credentialFrom } from "./credential.ts";

describe("credentialFrom authorization", () => {
  it.each<[string, string[], string]>([
    ["a bearer", ["Bearer acme_live_1"], "acme_live_1"],
    ["the scheme in any case", ["bEARER acme_live_1"], "acme_live_1"],
    ["more blanks than needed", ["  Bearer   acme_live_1 "], "acme_live_1"],
    ["a bearer beside another scheme", ["Basic abc", "Bearer acme_live_1"], "acme_live_1"],
  ])("reads %s", (_, values, secret) => {
    expect(credentialFrom("authorization", values)).toEqual({ kind: "secret", secret });
  });

  it.each<[string, string[]]>([
    ["no header", []],
    ["an empty one", [""]],
    ["another scheme", ["Basic abc"]],
    ["a scheme that begins like ours", ["BearerToken abc"]],
  ])("finds nothing in %s", (_, values) => {
    expect(credentialFrom("authorization", values)).toEqual({ kind: "none" });
  });

  it.each<[string, string[]]>([
    ["two bearers", ["Bearer a", "Bearer b"]],
    ["the same one twice", ["Bearer a", "Bearer a"]],
    ["two joined by a proxy", ["Bearer a, Bearer b"]],
    ["nothing after the scheme", ["Bearer"]],
    ["only blanks after the scheme", ["Bearer  "]],
    ["a blank inside", ["Bearer a b"]],
    ["a line break inside", ["Bearer a\nb"]],
    ["letters that no header has", ["Bearer ä"]],
  ])("cannot use %s", (_, values) => {
    expect(credentialFrom("authorization", values).kind).toBe("unusable");
  });

  it("never takes a header for two secrets, nor throws", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (values) => {
        const credential = credentialFrom("authorization", values);
        if (credential.kind === "secret") expect(credential.secret).toMatch(/^[\x21-\x7e]+$/);
      }),
    );
  });
});

describe("credentialFrom another header", () => {
  it("takes the value as it is", () => {
    expect(credentialFrom("X-Api-Key", ["acme_live_1"])).toEqual({ kind: "secret", secret: "acme_live_1" });
    expect(credentialFrom("X-Api-Key", [])).toEqual({ kind: "none" });
  });

  it.each([[["a", "b"]], [["a, b"]], [[""]], [["Bearer a"]]])("cannot use %j", (values) => {
    expect(credentialFrom("X-Api-Key", values).kind).toBe("unusable");
  });
});
