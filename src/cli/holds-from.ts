import { type Timestamp, timestampMs } from "@clavis/sdk";
import { SECOND_MS, type UnixMs } from "../time.ts";
import { formatInstant } from "./instant.ts";
import { formatSpan } from "./span.ts";
import type { Cell } from "./table.ts";

/** Clocks of two machines differ by that much and nobody is to be told that something is still to come. */
const AHEAD_MS_MIN = SECOND_MS;

/** From when on a change holds everywhere. Stands out where that is still to come, to the next full second. */
export function holdsFrom(effectiveTime: Timestamp, now: UnixMs): Cell {
  const time = timestampMs(effectiveTime);
  if (time - now < AHEAD_MS_MIN) return { text: formatInstant(new Date(time)) };
  const at = formatInstant(new Date(toFullSecond(time)));
  return {
    text: `${at}, in ${formatSpan(toFullSecond(time - now))}: until then what was before may count`,
    tone: "wary",
  };
}

function toFullSecond(ms: number): number {
  return Math.ceil(ms / SECOND_MS) * SECOND_MS;
}
