/** A table that a backup has. */
export interface BackupTable {
  readonly name: string;
  /** Columns that stay out of backups. Nullable, or with a default. */
  readonly omitted: readonly string[];
}

/** What is of the running replicas and of this very Postgres, and would be wrong anywhere else. */
export const UNBACKED_TABLES: readonly string[] = ["changes", "members", "timelines", "present_timeline"];

/**
 * What a backup has: all tables of the schema, those first that others refer to.
 *
 * Of the replays it has that there was a request, but not the sealed answer: answers hold secrets in the clear under
 * their seal, and backups are kept for longer and in more places than the root keys ever should be good for. So a
 * request that is tried again after a restore is told ANSWER_LOST instead of being done a second time, which is
 * what matters about it.
 */
export const BACKUP_TABLES: readonly BackupTable[] = [
  { name: "tenants", omitted: [] },
  { name: "keyspaces", omitted: [] },
  { name: "keys", omitted: [] },
  { name: "key_secrets", omitted: [] },
  { name: "audit_heads", omitted: [] },
  { name: "audit_events", omitted: [] },
  // What a change had to wait for was told on a history that a restored database is not on.
  { name: "replays", omitted: ["sealed_answer", "effect_timeline", "effect_xid", "effect_mode"] },
];
