import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADDRESS_BITS, type Address, canonicalAddress, parseAddress } from "./address.ts";
import { type Cidr, canonicalCidr, cidrContains, cidrWithin, parseCidr } from "./cidr.ts";

const versions = fc.constantFrom(4 as const, 6 as const);

const addresses: fc.Arbitrary<Address> = versions.chain((version) =>
  fc.bigInt(0n, 2n ** BigInt(ADDRESS_BITS[version]) - 1n).map((bits) => ({ version, bits })),
);

/** Networks near the bottom of each version's space, so that two of them often overlap. */
const cidrs: fc.Arbitrary<Cidr> = versions.chain((version) => {
  const bits = ADDRESS_BITS[version];
  return fc
    .record({ low: fc.bigInt(0n, 63n), prefixLength: fc.integer({ min: bits - 6, max: bits }) })
    .map(({ low, prefixLength }) => {
      const hostBits = BigInt(bits - prefixLength);
      return { network: { version, bits: (low >> hostBits) << hostBits }, prefixLength };
    });
});

describe("parseCidr", () => {
  it.each([
    ["192.0.2.0/24", "192.0.2.0/24"],
    ["192.0.2.7", "192.0.2.7/32"],
    ["192.0.2.7/32", "192.0.2.7/32"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["2001:DB8::/32", "2001:db8::/32"],
    ["2001:db8::1", "2001:db8::1/128"],
    ["::ffff:192.0.2.7", "192.0.2.7/32"],
    ["::ffff:192.0.2.0/120", "192.0.2.0/24"],
    ["::ffff:0:0/96", "0.0.0.0/0"],
  ])("reads %s as %s", (text, canonical) => {
    expect(canonicalCidr(read(text))).toBe(canonical);
  });

  it.each([
    ["192.0.2.7/24", "192.0.2.0/24"],
    ["192.0.2.7/0", "0.0.0.0/0"],
    ["2001:db8::1/32", "2001:db8::/32"],
    ["::ffff:192.0.2.7/120", "192.0.2.0/24"],
    ["::ffff:0:0/95", "::fffe:0:0/95"],
  ])("refuses the host bits of %s and names %s", (text, network) => {
    expect(parseCidr(text)).toEqual({ ok: false, problem: `bits are set after the prefix; the network is ${network}` });
  });

  it.each([
    ["", "expected an IP address"],
    ["/24", "expected an IP address"],
    ["192.0.2.0/24/24", "expected an IP address"],
    ["192.0.02.0/24", "expected an IP address"],
    ["fe80::1%eth0/64", "expected an IP address"],
    ["192.0.2.0/", "from 0 to 32"],
    ["192.0.2.0/33", "from 0 to 32"],
    ["192.0.2.0/024", "from 0 to 32"],
    ["192.0.2.0/-1", "from 0 to 32"],
    ["192.0.2.0/ 24", "from 0 to 32"],
    ["192.0.2.0/255.255.255.0", "from 0 to 32"],
    ["2001:db8::/129", "from 0 to 128"],
  ])("refuses %j: %s", (text, problem) => {
    expect(parseCidr(text)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it("reads back every canonical network", () => {
    fc.assert(
      fc.property(cidrs, (cidr) => {
        expect(parseCidr(canonicalCidr(cidr))).toEqual({ ok: true, cidr });
      }),
    );
  });

  it("either reads a text or says what is wrong, whatever the text", () => {
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9a-f:.]{0,20}\/[0-9]{0,3}$/));
    fc.assert(
      fc.property(texts, (text) => {
        const result = parseCidr(text);
        expect(result.ok ? canonicalCidr(result.cidr) : result.problem).not.toBe("");
      }),
    );
  });

  it("names a network that it accepts itself", () => {
    let named = 0;
    fc.assert(
      fc.property(addresses, fc.nat({ max: 32 }), (address, prefixLength) => {
        const result = parseCidr(`${canonicalAddress(address)}/${prefixLength}`);
        if (result.ok) return;
        named++;
        expect(cidrContains(read(result.problem.slice(result.problem.lastIndexOf(" ") + 1)), address)).toBe(true);
      }),
    );
    expect(named).toBeGreaterThan(0);
  });
});

describe("cidrContains", () => {
  it.each([
    ["192.0.2.0/24", "192.0.2.0", true],
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.1.255", false],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.0/24", "::ffff:192.0.2.1", true],
    ["::ffff:192.0.2.0/120", "192.0.2.1", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.6", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::", false],
    ["::/0", "ffff::", true],
    ["::/0", "192.0.2.1", false],
    ["2001:db8::/33", "2001:db8:7fff::", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
  ])("%s, %s: %s", (cidr, address, expected) => {
    expect(cidrContains(read(cidr), addressOf(address))).toBe(expected);
  });
});

describe("cidrWithin", () => {
  it("agrees with asking for the first and the last address", () => {
    const seen = new Set<boolean>();
    fc.assert(
      fc.property(cidrs, cidrs, (inner, outer) => {
        const { version, bits } = inner.network;
        const last = { version, bits: bits | ((1n << BigInt(ADDRESS_BITS[version] - inner.prefixLength)) - 1n) };
        const expected = cidrContains(outer, inner.network) && cidrContains(outer, last);
        seen.add(expected);
        expect(cidrWithin(inner, outer)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
    expect(seen.size).toBe(2);
  });

  it("lets the inner network hold no address that the outer lacks", () => {
    let held = 0;
    fc.assert(
      fc.property(cidrs, cidrs, fc.bigInt(0n, 63n), (inner, outer, low) => {
        const address = { version: inner.network.version, bits: low };
        if (!cidrWithin(inner, outer) || !cidrContains(inner, address)) return;
        held++;
        expect(cidrContains(outer, address)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(held).toBeGreaterThan(0);
  });
});

function read(text: string): Cidr {
  const result = parseCidr(text);
  if (!result.ok) throw new Error(`${text}: ${result.problem}`);
  return result.cidr;
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
