import { ADDRESS_BITS, type Address, canonicalAddress, isMapped, parseAddressAsWritten, unmapped } from "./address.ts";

/** `0` to `999`; whether it fits the address is asked later. */
const PREFIX_LENGTH = /^(?:0|[1-9][0-9]{0,2})$/;

/** Bits of `::ffff:0:0/96` that an IPv4-mapped address has before the IPv4 one. */
const MAPPED_BITS = ADDRESS_BITS[6] - ADDRESS_BITS[4];

/** All addresses of one version that share the first `prefixLength` bits of `network`, whose other bits are 0. */
export interface Cidr {
  readonly network: Address;
  readonly prefixLength: number;
}

/** The outcome of `parseCidr`. `problem` is fit to be shown to whoever wrote the text. */
export type CidrResult = { readonly ok: true; readonly cidr: Cidr } | { readonly ok: false; readonly problem: string };

/**
 * The network that `text` writes, such as `192.0.2.0/24`, `2001:db8::/32` or, for a single address, that address alone.
 * A network within `::ffff:0:0/96` is the IPv4 network. Bits after the prefix must be 0, because who writes
 * `192.0.2.7/24` may have meant one address or 256 of them; the problem then names the network.
 */
export function parseCidr(text: string): CidrResult {
  const [addressText = "", lengthText, ...more] = text.split("/", 3);
  const written = parseAddressAsWritten(addressText);
  if (written === undefined || more.length > 0) {
    return { ok: false, problem: "expected an IP address or a network such as 192.0.2.0/24 or 2001:db8::/32" };
  }

  const bits = ADDRESS_BITS[written.version];
  const prefixLength = lengthText === undefined ? bits : parsePrefixLength(lengthText, bits);
  if (prefixLength === undefined) {
    return { ok: false, problem: `expected a prefix length from 0 to ${bits} for IPv${written.version}` };
  }

  const cidr = withoutMapping({ network: maskTo(written, prefixLength), prefixLength });
  if (maskTo(written, prefixLength).bits !== written.bits) {
    return { ok: false, problem: `bits are set after the prefix; the network is ${canonicalCidr(cidr)}` };
  }
  return { ok: true, cidr };
}

/** The one text for a network, prefix length included even for a single address. `parseCidr` reads it back. */
export function canonicalCidr({ network, prefixLength }: Cidr): string {
  return `${canonicalAddress(network)}/${prefixLength}`;
}

/** Whether `address` lies in `cidr`. An IPv6 network holds no IPv4 address: `::/0` is not everyone. */
export function cidrContains({ network, prefixLength }: Cidr, address: Address): boolean {
  if (network.version !== address.version) return false;
  const hostBits = BigInt(ADDRESS_BITS[network.version] - prefixLength);
  return (network.bits ^ address.bits) >> hostBits === 0n;
}

/** Whether every address of `inner` lies in `outer`. */
export function cidrWithin(inner: Cidr, outer: Cidr): boolean {
  return inner.prefixLength >= outer.prefixLength && cidrContains(outer, inner.network);
}

function parsePrefixLength(text: string, bits: number): number | undefined {
  return PREFIX_LENGTH.test(text) && Number(text) <= bits ? Number(text) : undefined;
}

function maskTo({ version, bits }: Address, prefixLength: number): Address {
  const hostBits = BigInt(ADDRESS_BITS[version] - prefixLength);
  return { version, bits: (bits >> hostBits) << hostBits };
}

/** A masked network is mapped only if its prefix covers all of `::ffff:0:0/96`: a shorter one has lost the `ffff`. */
function withoutMapping({ network, prefixLength }: Cidr): Cidr {
  if (!isMapped(network)) return { network, prefixLength };
  return { network: unmapped(network), prefixLength: prefixLength - MAPPED_BITS };
}
