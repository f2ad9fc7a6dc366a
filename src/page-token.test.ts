import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DomainError } from "./errors.ts";
import type { Json } from "./json.ts";
import { createPageTokens } from "./page-token.ts";
import { createSealer, newRootKey } from "./root-keys.ts";

const tokens = createPageTokens(createSealer([newRootKey("test")]));
const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;

function reasonOf(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    return error instanceof DomainError ? error.failure.reason : String(error);
  }
}

describe("a page token", () => {
  it("brings back the position for the very query that it was made for", () => {
    fc.assert(
      fc.property(json, json, (query, position) => {
        expect(JSON.stringify(tokens.redeem(query, tokens.issue(query, position)))).toBe(JSON.stringify(position));
      }),
    );
  });

  it("is refused for any other query", () => {
    fc.assert(
      fc.property(json, json, (query, other) => {
        fc.pre(JSON.stringify(query) !== JSON.stringify(other));
        expect(reasonOf(() => tokens.redeem(other, tokens.issue(query, 1)))).toBe("PAGE_TOKEN_INVALID");
      }),
    );
  });

  it("that is empty stands for the first page", () => {
    expect(tokens.redeem(["keys"], "")).toBeUndefined();
  });

  it("is refused when it is anything else, and never breaks anything", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        fc.pre(text !== "");
        expect(reasonOf(() => tokens.redeem(["keys"], text))).toBe("PAGE_TOKEN_INVALID");
      }),
    );
  });

  it("is text for a URL, and does not show where it leads", () => {
    const token = tokens.issue(["keys"], { id: "key_01h455vb4pex5vsknk084sn02q" });
    expect(token).toMatch(/^[\w-]+$/);
    expect(Buffer.from(token, "base64url").toString("latin1")).not.toContain("01h455");
  });
});
