import type { Span } from "@clavis/sdk";

const HOUR_MS = 3_600_000;

/** From the largest to the smallest. A day is 24 hours. */
const units = [
  ["d", "days", 24 * HOUR_MS],
  ["h", "hours", HOUR_MS],
  ["m", "minutes", 60_000],
  ["s", "seconds", 1000],
  ["ms", "milliseconds", 1],
] as const;

const SPAN = /^(?:\d+(?:\.\d+)?(?:ms|[dhms]))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|[dhms])/g;

/** What `90d`, `12h`, `1h30m` or `0s` stand for; undefined for any other text. */
export function parseSpan(text: string): Span | undefined {
  if (!SPAN.test(text)) return undefined;
  const span: { -readonly [Unit in keyof Span]: Span[Unit] } = {};
  for (const [, count, letter] of text.matchAll(PART)) {
    const name = units.find(([short]) => short === letter)?.[1];
    if (name === undefined || span[name] !== undefined) return undefined;
    span[name] = Number(count);
  }
  return span;
}

/** `ms` in the way that `parseSpan` reads: `90d`, `1h30m`, `0s`. */
export function formatSpan(ms: number): string {
  let rest = ms;
  const parts = units.flatMap(([letter, , size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? [] : [`${count}${letter}`];
  });
  return parts.join("") || "0s";
}
