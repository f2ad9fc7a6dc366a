/** Postgres cannot be started or has ended by itself. The message is for a person: what happened, and what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}
