import { type IdKind, idOf, uuidOf } from "../ids.ts";
import type { UnixMs } from "../time.ts";

/** The UUID column for an id that is known to be one. */
export function toUuid(kind: IdKind, id: string): string {
  const uuid = uuidOf(kind, id);
  // Ids from outside are checked by the contract, and all others were made here.
  if (uuid === undefined) throw new TypeError(`not an id of kind ${kind}`);
  return uuid;
}

export function fromUuid(kind: IdKind, uuid: string): string {
  return idOf(kind, uuid);
}

export function toTime(time: UnixMs): Date {
  return new Date(time);
}

export function toOptionalTime(time: UnixMs | null): Date | null {
  return time === null ? null : new Date(time);
}

export function toDigest(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

export function fromDigest(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
