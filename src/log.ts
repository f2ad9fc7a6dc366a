import { pino } from "pino";

/** Structured logs, a JSON object a line on standard output. What is logged is chosen field by field: no headers, no messages. */
export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error">;

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What each line says of where it is from. */
type LogBase = Readonly<Record<string, string | number>>;

export function createLog(level: LogLevel, stream?: pino.DestinationStream, base: LogBase | null = null): Log {
  const options: pino.LoggerOptions = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: describeError },
  };
  return stream === undefined ? pino(options) : pino(options, stream);
}

/**
 * Name, message, code and stack of an error and of its causes. Whatever else hangs on an error stays out: drivers attach the values
 * of statements, and transports the headers of requests.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return "not an error";
  const code = "code" in error ? error.code : undefined;
  const cause = error.cause === undefined ? undefined : describeError(error.cause);
  return { name: error.name, message: error.message, code, stack: error.stack, cause };
}
