import { isIP, SocketAddress } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Address, canonicalAddress, parseAddress } from "./address.ts";

const addresses: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt(0n, 2n ** 32n - 1n).map((bits) => ({ version: 4 as const, bits })),
  // Groups that are often zero make runs for `::` to shorten.
  fc
    .array(fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 })
    .map((groups) => ({ version: 6 as const, bits: groups.reduce((bits, group) => (bits << 16n) | group, 0n) }))
    .filter(({ bits }) => bits >> 32n !== 0xffffn),
);

/** Texts made of what addresses are made of. */
const addressLike = fc
  .array(fc.constantFrom("0", "1", "ff", "12345", "255", "256", "01", "g", ":", ":", ":", "::", ".", ".", "%", "/"), {
    maxLength: 20,
  })
  .map((parts) => parts.join(""));

describe("parseAddress", () => {
  it.each([
    ["0.0.0.0", "0.0.0.0"],
    ["192.0.2.1", "192.0.2.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"],
    ["FF01:0:0:0:0:0:0:101", "ff01::101"],
    ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["0:0:0:0:0:0:13.1.68.3", "::d01:4403"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:129.144.52.38", "129.144.52.38"],
    ["::FFFF:8190:3426", "129.144.52.38"],
    ["0:0:0:0:0:ffff:129.144.52.38", "129.144.52.38"],
    ["0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"],
  ])("reads %s as %s", (text, canonical) => {
    const address = parseAddress(text);
    expect(address && canonicalAddress(address)).toBe(canonical);
  });

  it.each([
    "",
    " ",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.04",
    "1.2.3.+4",
    "1.2.3.0x4",
    "1.2.3.4 ",
    "1.2.3.4/32",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::1.2.3",
    "::01.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1%eth0",
    "[::1]",
    "１.2.3.4",
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it("reads back every canonical address", () => {
    fc.assert(
      fc.property(addresses, (address) => {
        expect(parseAddress(canonicalAddress(address))).toEqual(address);
      }),
    );
  });

  it("accepts what Node accepts, zone ids apart, and never throws", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(addressLike, addresses.map(canonicalAddress), fc.string({ unit: "binary" })), (text) => {
        const expected = isIP(text) !== 0 && !text.includes("%");
        if (expected) accepted++;
        expect(parseAddress(text) !== undefined).toBe(expected);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });
});

describe("canonicalAddress", () => {
  it("writes IPv6 as Node does", () => {
    fc.assert(
      fc.property(addresses, (address) => {
        // Node writes IPv4-compatible addresses (::a.b.c.d, deprecated by RFC 4291) with dots.
        fc.pre(address.bits >> 32n !== 0n);
        const text = canonicalAddress(address);
        expect(new SocketAddress({ family: "ipv6", address: text }).address).toBe(text);
      }),
    );
  });
});
