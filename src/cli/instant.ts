const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/**
 * The point in time that an ISO 8601 text names: a date, which means its first moment in UTC, or date and time with a
 * zone. Undefined for any other text, one without a zone too: it would mean another moment on another machine.
 */
export function parseInstant(text: string): Date | undefined {
  const instant = new Date(text);
  return INSTANT.test(text) && !Number.isNaN(instant.getTime()) ? instant : undefined;
}

/** To the second, as `2027-01-31T00:00:00Z`: people need no more, and programs have JSON. */
export function formatInstant(instant: Date): string {
  return instant.toISOString().replace(/\.\d{3}Z$/, "Z");
}
