import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * The text of the file at `path`. If there is none, it is made with what `make` gives, readable by our own user only.
 * A crash or a power cut leaves either no file or a whole one, for half a root key would lose what it seals.
 *
 * Synchronous, so that two calls in one process cannot both make it; that no other process does is for the caller to
 * see to.
 */
export function readOrCreateSecretFile(path: string, make: () => string): string {
  return readIfThere(path) ?? create(path, make());
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function create(path: string, text: string): string {
  const unfinished = `${path}.new`;
  // One that a crash has left may have another mode, which writing would keep.
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, text, { mode: 0o600, flush: true });
  renameSync(unfinished, path);
  syncFolder(dirname(path));
  return text;
}

/** Makes the new name last: without it a power cut may bring back the folder as it was before the rename. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
