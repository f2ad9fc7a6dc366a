import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

/** A span of time whose parts add up: `{ days: 30 }`, `{ minutes: 1, seconds: 30 }`. A day is 24 hours. */
export interface Span {
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
}

const MILLISECONDS: Record<keyof Span, number> = {
  days: 24 * 60 * 60 * 1000,
  hours: 60 * 60 * 1000,
  minutes: 60 * 1000,
  seconds: 1000,
  milliseconds: 1,
};

/** Seconds in the longest `google.protobuf.Duration`. */
const SECONDS_MAX = 315_576_000_000;

/** The message for a span, or undefined if it has no parts, parts of other names, or is too long for one. */
export function durationFromSpan(span: Span): Duration | undefined {
  const parts = Object.entries(span).filter(([, count]) => count !== undefined);
  if (parts.length === 0 || !parts.every(isPart)) return undefined;

  const total = Math.round(parts.filter(isPart).reduce((sum, [unit, count]) => sum + count * MILLISECONDS[unit], 0));
  if (Math.abs(total) > SECONDS_MAX * 1000) return undefined;
  return create(DurationSchema, { seconds: BigInt(Math.trunc(total / 1000)), nanos: (total % 1000) * 1_000_000 });
}

function isPart(part: [string, unknown]): part is [keyof Span, number] {
  const [unit, count] = part;
  return Object.hasOwn(MILLISECONDS, unit) && typeof count === "number" && Number.isFinite(count);
}
