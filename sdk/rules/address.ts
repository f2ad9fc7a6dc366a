/** The longest text: six groups and an IPv4 address, as in `0000:0000:0000:0000:0000:ffff:255.255.255.255`. */
const ADDRESS_LENGTH_MAX = 45;

/** Bits in an address of each version. */
export const ADDRESS_BITS = { 4: 32, 6: 128 } as const;

const IPV6_GROUPS = 8;

/** `0` to `999` without leading zeros, which some read as octal and others do not (RFC 6943, section 3.1.1). */
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;

/** `::ffff:0:0/96`, whose addresses stand for IPv4 ones (RFC 4291, section 2.5.5.2). */
const MAPPED_PREFIX = 0xffffn;

/** An IP address as a number, the first octet or group being the most significant. */
export interface Address {
  readonly version: 4 | 6;
  readonly bits: bigint;
}

/**
 * The address that `text` writes: IPv4 as four decimal octets, IPv6 in any form of RFC 4291, section 2.2. An
 * IPv4-mapped IPv6 address is the IPv4 address, so that a rule holds on dual-stack sockets too. Undefined if it is
 * none; zone ids (`%eth0`) are refused, since they mean nothing on another machine.
 */
export function parseAddress(text: string): Address | undefined {
  const written = parseAddressAsWritten(text);
  return written && (isMapped(written) ? unmapped(written) : written);
}

/** As `parseAddress`, but an IPv4-mapped address stays IPv6. For CIDRs, whose length counts the bits as written. */
export function parseAddressAsWritten(text: string): Address | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Whether an IPv6 address stands for an IPv4 one. */
export function isMapped({ version, bits }: Address): boolean {
  return version === 6 && bits >> 32n === MAPPED_PREFIX;
}

/** The IPv4 address that an IPv4-mapped one stands for. */
export function unmapped({ bits }: Address): Address {
  return { version: 4, bits: BigInt.asUintN(32, bits) };
}

/** The one text for an address: dotted IPv4, or IPv6 as RFC 5952 wants it. `parseAddress` reads it back. */
export function canonicalAddress({ version, bits }: Address): string {
  return version === 4 ? chunksOf(bits, 4, 8).join(".") : canonicalIpv6(chunksOf(bits, IPV6_GROUPS, 16));
}

function parseIpv4(text: string): Address | undefined {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255)) return undefined;
  return { version: 4, bits: joinChunks(octets.map(Number), 8) };
}

function parseIpv6(text: string): Address | undefined {
  const [left = "", right, ...more] = withoutDots(text).split("::");
  const head = parseGroups(left);
  const tail = parseGroups(right ?? "");
  if (head === undefined || tail === undefined || more.length > 0) return undefined;

  const omitted = IPV6_GROUPS - head.length - tail.length;
  if (right === undefined ? omitted !== 0 : omitted < 1) return undefined;
  return { version: 6, bits: joinChunks([...head, ...Array<number>(omitted).fill(0), ...tail], 16) };
}

/** `text` with an IPv4 address at its end rewritten as two groups. Dots anywhere else stay, and are no groups. */
function withoutDots(text: string): string {
  const start = text.lastIndexOf(":") + 1;
  const embedded = parseIpv4(text.slice(start));
  return embedded === undefined ? text : text.slice(0, start) + chunksOf(embedded.bits, 2, 16).map(toHex).join(":");
}

function parseGroups(half: string): number[] | undefined {
  if (half === "") return [];
  const groups = half.split(":");
  return groups.every((group) => GROUP.test(group)) ? groups.map((group) => Number.parseInt(group, 16)) : undefined;
}

/** RFC 5952, section 4: lower case, no leading zeros, `::` for the first of the longest runs of two or more zeros. */
function canonicalIpv6(groups: readonly number[]): string {
  const run = longestZeroRun(groups);
  if (run.length < 2) return groups.map(toHex).join(":");
  const head = groups.slice(0, run.start);
  const tail = groups.slice(run.start + run.length);
  return `${head.map(toHex).join(":")}::${tail.map(toHex).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    const length = index + 1 - start;
    if (length > longest.length) longest = { start, length };
  }
  return longest;
}

function joinChunks(chunks: readonly number[], width: number): bigint {
  return chunks.reduce((bits, chunk) => (bits << BigInt(width)) | BigInt(chunk), 0n);
}

function chunksOf(bits: bigint, count: number, width: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    return Number(BigInt.asUintN(width, bits >> BigInt(width * (count - 1 - index))));
  });
}

function toHex(group: number): string {
  return group.toString(16);
}
