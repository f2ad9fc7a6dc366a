/** A backup that cannot be made, read or restored. The message is for a person: what is the matter, and what to do. */
export class BackupError extends Error {
  override readonly name = "BackupError";
}
