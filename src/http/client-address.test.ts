import { type Cidr, parseCidr } from "@clavis/sdk/rules";
import { describe, expect, it } from "vitest";
import { createClientAddress } from "./client-address.ts";

function networks(...texts: readonly string[]): Cidr[] {
  return texts.map((text) => {
    const result = parseCidr(text);
    if (!result.ok) throw new Error(result.problem);
    return result.cidr;
  });
}

function from(remoteAddress: string | undefined, forwarded?: string) {
  return { socket: { remoteAddress }, headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded } };
}

const ofNobody = createClientAddress([]);
const ofProxies = createClientAddress(networks("10.0.0.0/8", "2001:db8::/32"));

describe("the address of a caller", () => {
  it.each<[string | undefined, string | undefined, string]>([
    ["203.0.113.9", undefined, "203.0.113.9"],
    ["::ffff:203.0.113.9", undefined, "203.0.113.9"],
    ["2001:DB8:0::1", undefined, "2001:db8::1"],
    ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
    [undefined, "198.51.100.1", ""],
  ])("is the peer's, whatever it says, where no proxy is trusted: %s with %s", (peer, header, expected) => {
    expect(ofNobody(from(peer, header))).toBe(expected);
  });

  it.each<[string, string, string | undefined, string]>([
    ["not a proxy's own word", "203.0.113.9", "198.51.100.1", "203.0.113.9"],
    ["what a proxy says", "10.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["what the first of several proxies says", "10.0.0.1", "198.51.100.1, 10.9.9.9, ::ffff:10.2.2.2", "198.51.100.1"],
    ["not what a caller wrote itself", "10.0.0.1", "192.0.2.1, 198.51.100.1", "198.51.100.1"],
    ["not what a caller wrote of a proxy's network", "10.0.0.1", "10.0.0.7, 198.51.100.1", "198.51.100.1"],
    ["in its one form", "2001:db8::5", "2001:DB9::0:1", "2001:db9::1"],
    ["a proxy's, where it speaks for itself", "10.0.0.1", undefined, "10.0.0.1"],
    ["the furthest proxy's, where all are", "10.0.0.1", "10.0.0.2,10.0.0.3", "10.0.0.2"],
    ["unknown where a proxy says junk", "10.0.0.1", "unknown", ""],
    ["unknown where a proxy says a port too", "10.0.0.1", "198.51.100.1:4711", ""],
    ["past what is empty", "10.0.0.1", " , 198.51.100.1, ,", "198.51.100.1"],
  ])("behind trusted proxies is %s", (_name, peer, header, expected) => {
    expect(ofProxies(from(peer, header))).toBe(expected);
  });

  it("is found in no time in a header as long as there may be one", () => {
    const header = Array.from({ length: 5000 }, () => "10.0.0.1").join(",");
    expect(ofProxies(from("10.0.0.1", header))).toBe("10.0.0.1");
  });
});
