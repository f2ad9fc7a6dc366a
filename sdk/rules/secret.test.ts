import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodyFrom, formatSecret, isPrefix, maskSecret, prefixOf, SECRET_LENGTH_MAX, shapeOf } from "./secret.ts";

/** Computed with Python's zlib, independently of this code. */
const KNOWN = "acme_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg1Jvx2D";
const KNOWN_BODY = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";

const prefixes = fc.stringMatching(/^[a-z0-9][a-z0-9_]{0,30}[a-z0-9]$/);
const bodies = fc.stringMatching(/^[0-9A-Za-z]{43}$/);
const secrets = fc.tuple(prefixes, bodies).map(([prefix, body]) => formatSecret(prefix, body));

/** Texts of every kind: arbitrary, nearly secrets, and secrets with something in front or behind. */
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 600 }),
  fc.string({ maxLength: 100 }),
  fc.stringMatching(/^[a-z0-9_]{0,40}[0-9A-Za-z]{45,53}$/),
  fc.tuple(fc.string(), secrets, fc.string()).map((parts) => parts.join("")),
);

describe("formatSecret", () => {
  it("makes the secret that another implementation of the format makes", () => {
    expect(formatSecret("acme_live", KNOWN_BODY)).toBe(KNOWN);
  });

  it("makes a secret of shape clavis that has its prefix", () => {
    fc.assert(
      fc.property(prefixes, bodies, (prefix, body) => {
        const secret = formatSecret(prefix, body);
        expect(secret.startsWith(`${prefix}_${body}`)).toBe(true);
        expect(secret).toHaveLength(prefix.length + 50);
        expect(shapeOf(secret)).toBe("clavis");
        expect(prefixOf(secret)).toBe(prefix);
      }),
    );
  });

  it.each([
    ["Acme", KNOWN_BODY],
    ["acme_", KNOWN_BODY],
    ["acme", KNOWN_BODY.slice(1)],
    ["acme", `${KNOWN_BODY}0`],
    ["acme", KNOWN_BODY.replace("A", "_")],
  ])("refuses prefix %j with body %j and repeats neither", (prefix, body) => {
    expect(() => formatSecret(prefix, body)).toThrow(RangeError);
    expect(() => formatSecret(prefix, body)).not.toThrow(prefix);
    expect(() => formatSecret(prefix, body)).not.toThrow(body);
  });
});

describe("isPrefix", () => {
  it.each(["ab", "a1", "1a", "acme_live", "a__b", "a".repeat(32)])("accepts %j", (text) => {
    expect(isPrefix(text)).toBe(true);
  });

  it.each(["", "a", "_a", "a_", "Ab", "a-b", "a b", "ab\n", "é1", "a".repeat(33)])("refuses %j", (text) => {
    expect(isPrefix(text)).toBe(false);
  });
});

describe("shapeOf", () => {
  it.each([
    ["the secret", KNOWN, "clavis"],
    ["a secret whose checksum is of another", `${KNOWN.slice(0, -1)}E`, "malformed"],
    ["a secret under another prefix", KNOWN.replace("live", "test"), "malformed"],
    ["nothing", "", "malformed"],
    ["a space inside", "sk live", "malformed"],
    ["a line break at the end", `${KNOWN}\n`, "malformed"],
    ["a byte order mark", `\ufeff${KNOWN}`, "malformed"],
    ["a letter beyond ASCII", "schlüssel-0123456789", "malformed"],
    ["half a surrogate pair", "\ud800", "malformed"],
    ["the longest text", "x".repeat(SECRET_LENGTH_MAX), "foreign"],
    ["one longer than that", "x".repeat(SECRET_LENGTH_MAX + 1), "malformed"],
    ["a secret that lost a character", KNOWN.slice(0, -1), "foreign"],
    ["a secret with a capital in its prefix", KNOWN.replace("acme", "Acme"), "foreign"],
    ["a key of another maker", "sk-ant-0123456789", "foreign"],
    ["a UUID", "6fa459ea-ee8a-4ca4-894e-db77e160355e", "foreign"],
    ["punctuation", "!~", "foreign"],
  ])("of %s", (_, text, shape) => {
    expect(shapeOf(text)).toBe(shape);
  });

  it("is never clavis after one substitution, in whatever place", () => {
    fc.assert(
      fc.property(secrets, fc.nat(), fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), (secret, at, wrong) => {
        const index = at % secret.length;
        fc.pre(secret[index] !== wrong);
        expect(shapeOf(secret.slice(0, index) + wrong + secret.slice(index + 1))).not.toBe("clavis");
      }),
    );
  });

  it("is malformed after any substitution by another base62 character behind the prefix", () => {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let tried = 0;
    for (let index = "acme_live_".length; index < KNOWN.length; index++) {
      for (const wrong of digits.replace(KNOWN.charAt(index), "")) {
        expect(shapeOf(KNOWN.slice(0, index) + wrong + KNOWN.slice(index + 1))).toBe("malformed");
        tried++;
      }
    }
    expect(tried).toBe(49 * 61);
  });

  it("is malformed after any swap of unequal neighbours behind the prefix, also of body with checksum", () => {
    fc.assert(
      fc.property(secrets, fc.integer({ min: 1, max: 48 }), (secret, fromEnd) => {
        const index = secret.length - fromEnd - 1;
        const [left = "", right = ""] = secret.slice(index, index + 2);
        fc.pre(left !== right);
        expect(shapeOf(secret.slice(0, index) + right + left + secret.slice(index + 2))).toBe("malformed");
      }),
    );
  });

  it("answers for any text", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(["clavis", "foreign", "malformed"]).toContain(shapeOf(text));
      }),
    );
  });
});

describe("prefixOf", () => {
  it.each(["", "sk_live_0123456789", `${KNOWN.slice(0, -1)}E`])("knows none of %j", (text) => {
    expect(prefixOf(text)).toBeUndefined();
  });
});

describe("maskSecret", () => {
  it.each([
    [KNOWN, "acme_live_0123...vx2D"],
    ["0123456789abcde", "..."],
    ["0123456789abcdef", "01...ef"],
    ["0123456789abcdef01234567", "012...567"],
    ["0123456789abcdef0123456789abcdef", "0123...cdef"],
    ["x".repeat(SECRET_LENGTH_MAX), "xxxx...xxxx"],
    [`${KNOWN.slice(0, -1)}E`, "..."],
    ["line\nbreak-0123456789", "..."],
    ["", "..."],
  ])("shows %j as %j", (secret, mask) => {
    expect(maskSecret(secret)).toBe(mask);
  });

  it("shows at most a quarter of what is no Clavis secret, and never more than eight characters", () => {
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(shapeOf(text) !== "clavis");
        const shown = maskSecret(text).length - "...".length;
        expect(shown).toBeLessThanOrEqual(Math.min(8, text.length / 4));
      }),
    );
  });
});

describe("bodyFrom", () => {
  it("makes a body that fits into a secret", () => {
    const body = bodyFrom((n) => crypto.getRandomValues(new Uint8Array(n)));
    expect(body).toMatch(/^[0-9A-Za-z]{43}$/);
    expect(shapeOf(formatSecret("acme", body))).toBe("clavis");
  });
});
