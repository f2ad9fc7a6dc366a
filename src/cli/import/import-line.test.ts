import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseImportLine } from "./import-line.ts";

const digest = "0a".repeat(32);
const parse = (fields: object) => parseImportLine(JSON.stringify(fields));

describe("parseImportLine", () => {
  it("reads a line with everything", () => {
    const fields = {
      digest,
      masked_secret: "old_12...89",
      display_name: "CI",
      owner_id: "cus_1",
      permissions: ["documents.read"],
      allowed_addresses: ["10.0.0.0/8"],
      metadata: { plan: "pro" },
      ttl: "90d",
      not_before_time: "2027-01-31T00:00:00Z",
      expire_time: null,
    };
    expect(parse(fields)).toEqual({
      key: {
        digest,
        maskedSecret: "old_12...89",
        spec: {
          displayName: "CI",
          ownerId: "cus_1",
          permissions: ["documents.read"],
          allowedAddresses: ["10.0.0.0/8"],
          metadata: { plan: "pro" },
          ttl: { days: 90 },
          notBeforeTime: new Date("2027-01-31T00:00:00Z"),
        },
      },
    });
  });

  it("takes the names of Protobuf's JSON as well", () => {
    expect(parse({ digest, displayName: "CI" })).toEqual({ key: { digest, spec: { displayName: "CI" } } });
  });

  it.each([
    [{ display_name: "CI" }, "digest: is missing"],
    [{ digest }, "display_name: is missing"],
    [
      { digest: "secret", display_name: "CI" },
      "digest: expected a SHA-256 digest, as 64 hexadecimal digits or in base64",
    ],
    [{ digest, display_name: 1 }, "display_name: expected a text"],
    [{ digest, display_name: "CI", permissions: "a" }, "permissions: expected a list of texts"],
    [{ digest, display_name: "CI", metadata: [] }, "metadata: expected an object"],
    [{ digest, display_name: "CI", expire_time: "soon" }, "expire_time: expected a time such as 2027-01-31T00:00:00Z"],
    [{ digest, display_name: "CI", ttl: 90 }, "ttl: expected a span such as 90d"],
    [{ digest, display_name: "CI", secret: "canary" }, "has a field that no key has"],
  ])("says what is wrong with %j", (fields, problem) => {
    expect(parse(fields)).toEqual({ problem });
  });

  it("never throws, and never repeats what it could not read", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        const parsed = parseImportLine(`${line}canary-0123456789`);
        expect(JSON.stringify(parsed)).not.toContain("canary");
      }),
    );
  });
});
