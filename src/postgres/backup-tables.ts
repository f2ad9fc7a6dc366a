/** A table that a backup has. */
export interface BackupTable {
  readonly name: string;
  /** Columns that stay out of backups. Nullable, or with a default. */
  readonly omitted: readonly string[];
}

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
  { name: "replays", omitted: ["sealed_answer"] },
];
