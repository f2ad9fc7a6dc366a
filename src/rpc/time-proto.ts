import { type Duration, durationFromMs, type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../errors.ts";
import { SECOND_MS, type UnixMs } from "../time.ts";

/** The last second of the year 9999: later times have no JSON form. */
const SECONDS_MAX = 253_402_300_799n;

const NANOS_PER_MS = 1_000_000;

export function timeToProto(time: UnixMs): Timestamp {
  return timestampFromMs(time);
}

/** Fields for a message: an optional one is left out where there is nothing to say. */
export function optionalTimeToProto<Name extends string>(
  name: Name,
  time: UnixMs | null,
): { [field in Name]?: Timestamp } {
  return time === null ? {} : ({ [name]: timestampFromMs(time) } as { [field in Name]?: Timestamp });
}

/** The same for durations. */
export function optionalDurationToProto<Name extends string>(
  name: Name,
  ms: number | null,
): { [field in Name]?: Duration } {
  return ms === null ? {} : ({ [name]: durationFromMs(ms) } as { [field in Name]?: Duration });
}

/** Milliseconds, what is finer cut off. Throws INVALID_REQUEST for times before 1970 or after 9999. */
export function timeFromProto(timestamp: Timestamp, field: string): UnixMs {
  if (timestamp.seconds < 0n || timestamp.seconds > SECONDS_MAX)
    throw invalidField(field, "must be a time between 1970 and 9999");
  return Number(timestamp.seconds) * SECOND_MS + Math.floor(timestamp.nanos / NANOS_PER_MS);
}

export function optionalTimeFromProto(timestamp: Timestamp | undefined, field: string): UnixMs | null {
  return timestamp === undefined ? null : timeFromProto(timestamp, field);
}

/** Whole milliseconds, rounded up so that what is asked for is never undercut to nothing. */
export function durationFromProto(duration: Duration): number {
  return Number(duration.seconds) * SECOND_MS + Math.ceil(duration.nanos / NANOS_PER_MS);
}

export function optionalDurationFromProto(duration: Duration | undefined): number | null {
  return duration === undefined ? null : durationFromProto(duration);
}

/** The later of two. */
export function later(one: Timestamp, other: Timestamp | undefined): Timestamp {
  return other !== undefined && timestampMs(other) > timestampMs(one) ? other : one;
}

/** For people and for metadata: ISO 8601 in UTC. */
export function timeToText(time: UnixMs): string {
  return new Date(time).toISOString();
}
