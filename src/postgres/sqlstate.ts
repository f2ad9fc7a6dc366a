import { DomainError } from "../errors.ts";
import { SECOND_MS } from "../time.ts";

/** What an error of Postgres, or of the way to it, means for who wanted something done. */
export type Trouble =
  /** The transaction lost against others and had no effect: it may run again. */
  | "conflict"
  /** Postgres did not answer, or cannot serve at present. The connection is of no more use. */
  | "away"
  /** A bug. */
  | "other";

const CONFLICTS = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "25P03", // idle_in_transaction_session_timeout: this process was paused in mid-transaction
]);

const AWAY = new Set([
  "25006", // read_only_sql_transaction: a primary of before
  "55P03", // lock_not_available, by lock_timeout
  "57014", // query_canceled, by statement_timeout
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "58030", // io_error
  "53100", // disk_full
  "53200", // out_of_memory
  "53300", // too_many_connections
  "XX002", // PgBouncer has lost its server
]);

const SYSTEM_ERRORS = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOTFOUND",
  "ENOENT",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EAI_AGAIN",
]);

/** What pg says, with no code, when a connection ends or a time limit of its own passes. */
const DRIVER_MESSAGES =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end|Client network socket)/;

/** How long to wait before asking again. */
const RETRY_AFTER_MS = SECOND_MS;

export function troubleOf(error: unknown): Trouble {
  const code = codeOf(error);
  if (CONFLICTS.has(code)) return "conflict";
  if (AWAY.has(code) || code.startsWith("08") || SYSTEM_ERRORS.has(code)) return "away";
  return error instanceof Error && DRIVER_MESSAGES.test(error.message) ? "away" : "other";
}

/** The error to tell callers: STORE_UNAVAILABLE where Postgres was in trouble, or else the error itself. */
export function toFailure(error: unknown): unknown {
  if (error instanceof DomainError || troubleOf(error) === "other") return error;
  return new DomainError({ reason: "STORE_UNAVAILABLE", retryAfterMs: RETRY_AFTER_MS }, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
