import { BlockList, isIPv6 } from "node:net";
import { managementPermissions } from "../../src/access/permissions.ts";

/**
 * Rights as plain sets, for tests that hold the service's arithmetic against something that has nothing in common with it: all
 * that there is to do is enumerated, and a grant is what of it the grant covers.
 */
export interface Grant {
  readonly permissions: readonly string[];
  /** Empty for all. */
  readonly keyspaceIds: readonly string[];
  /** CIDRs; empty for anywhere. */
  readonly addresses: readonly string[];
  /** Unix milliseconds; null for never. */
  readonly expireTime: number | null;
}

/** One thing that may be done, in one keyspace, from one address, at one time. */
export interface Deed {
  readonly permission: string;
  readonly keyspaceId: string;
  readonly address: string;
  readonly time: number;
}

/** Permissions with and without all that looks like Clavis's own. */
const SOME_PERMISSIONS = [
  ...Object.keys(managementPermissions),
  "clavis",
  "clavis.keys",
  "clavis.keys.create.more",
  "clavis.management_keys.import",
  "clavisx.keys.create",
  "documents",
  "documents.read",
  "documents.drafts.read",
  "anything",
];
const SOME_ADDRESSES = [
  "127.0.0.1",
  "127.0.0.2",
  "127.1.2.3",
  "10.0.0.1",
  "203.0.113.9",
  "::1",
  "2001:db8::1",
  "2001:db9::1",
];

/** What `grant` allows and none of `bounds` does, of the deeds in `keyspaceIds` at `times`; undefined if there is nothing. */
export function excessDeed(
  grant: Grant,
  bounds: readonly Grant[],
  keyspaceIds: readonly string[],
  times: readonly number[],
): Deed | undefined {
  const wanted = spread(grant, keyspaceIds, times);
  const held = bounds.map((bound) => spread(bound, keyspaceIds, times));
  for (const permission of wanted.permissions) {
    for (const keyspaceId of wanted.keyspaceIds) {
      for (const address of wanted.addresses) {
        for (const time of wanted.times) {
          const within = held.some(
            (one) =>
              one.permissions.has(permission) &&
              one.keyspaceIds.has(keyspaceId) &&
              one.addresses.has(address) &&
              one.times.has(time),
          );
          if (!within) return { permission, keyspaceId, address, time };
        }
      }
    }
  }
  return undefined;
}

/** Whether the grant allows `permission` somewhere, at some time. */
export function allows(grant: Grant, permission: string): boolean {
  return grant.permissions.some((pattern) => toRegExp(pattern).test(permission));
}

/** Whether all of `keyspaceIds` are within the grant, none of them meaning all that there are. */
export function reaches(grant: Grant, keyspaceIds: readonly string[]): boolean {
  if (grant.keyspaceIds.length === 0) return true;
  return keyspaceIds.length > 0 && keyspaceIds.every((id) => grant.keyspaceIds.includes(id));
}

function spread(grant: Grant, keyspaceIds: readonly string[], times: readonly number[]) {
  const { addresses, expireTime } = grant;
  return {
    permissions: new Set(SOME_PERMISSIONS.filter((permission) => allows(grant, permission))),
    keyspaceIds: new Set(keyspaceIds.filter((id) => reaches(grant, [id]))),
    addresses: new Set(SOME_ADDRESSES.filter((address) => addresses.length === 0 || isAmong(addresses, address))),
    times: new Set(times.filter((time) => expireTime === null || time < expireTime)),
  };
}

function toRegExp(pattern: string): RegExp {
  if (pattern === "*") return /^/;
  const escaped = pattern.replaceAll(".", "\\.");
  return new RegExp(pattern.endsWith(".*") ? `^${escaped.slice(0, -1)}.+$` : `^${escaped}$`);
}

function isAmong(cidrs: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", length = ""] = cidr.split("/");
    const family = isIPv6(network) ? "ipv6" : "ipv4";
    // By the contract a network holds addresses of its own version alone.
    if (isIPv6(network) !== isIPv6(address)) continue;
    list.addSubnet(network, length === "" ? (family === "ipv6" ? 128 : 32) : Number(length), family);
  }
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
