import { parseCidr } from "@clavis/sdk/rules";
import { describe, expect, it } from "vitest";
import { aKnownSecret, aReading } from "../../test/harness/readings.ts";
import { bytesOf } from "./record-size.ts";

const address = parseCidr("192.0.2.0/24");
if (!address.ok) throw new Error("no address");
const { cidr } = address;
const plain = bytesOf(aReading());

describe("bytesOf", () => {
  it("says about 2 KB of a plain key, and something also of what nobody knows", () => {
    expect(plain).toBeGreaterThan(2_000);
    expect(plain).toBeLessThan(3_000);
    expect(bytesOf(aReading([]))).toBeGreaterThan(0);
  });

  it.each([
    ["a long name", { facts: { displayName: "x".repeat(200) } }, 400],
    ["a long owner", { facts: { ownerId: "x".repeat(200) } }, 400],
    ["metadata", { facts: { metadata: { plan: "x".repeat(1000) } } }, 4_000],
    ["addresses", { record: { allowedAddresses: Array.from({ length: 64 }, () => cidr) } }, 64 * 100],
    ["keyspaces that it is held to", { allowedKeyspaceIds: Array.from({ length: 10 }, () => "ks_1") }, 500],
  ])("counts %s", (_, parts, bytesMin) => {
    expect(bytesOf(aReading([aKnownSecret(parts)])) - plain).toBeGreaterThanOrEqual(bytesMin - 10);
  });

  it("counts each tenant that has imported the same secret", () => {
    expect(bytesOf(aReading([aKnownSecret(), aKnownSecret()])) - plain).toBeGreaterThan(800);
  });
});
