import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { link, open, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { BackupError } from "./backup-error.ts";

/** A file in the making. Disposing it removes what there is of it, unless it is kept. */
export interface BackupFile extends AsyncDisposable {
  /** Written to a file beside, which only our own user may read. */
  readonly stream: Writable;
  /** Gives the file its name. To be called when the stream has ended and all of it is right. */
  keep(): Promise<void>;
}

/** What file systems without hard links say. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/**
 * Begins the file that shall be called `path`, which is there as a whole or not at all.
 *
 * @throws BackupError if there is something by that name, unless it is a file and `overwrite` says that it may go
 */
export async function openBackupFile(path: string, overwrite: boolean): Promise<BackupFile> {
  await checkFree(path, overwrite);
  const unfinished = `${path}.${randomBytes(4).toString("hex")}.unfinished`;
  const stream = createWriteStream(unfinished, { mode: 0o600, flags: "wx", flush: true });
  await once(stream, "open");
  return {
    stream,
    async keep() {
      await (overwrite ? rename(unfinished, path) : renameToFree(unfinished, path));
      await syncFolder(dirname(resolve(path)));
    },
    async [Symbol.asyncDispose]() {
      stream.destroy();
      await rm(unfinished, { force: true });
    },
  };
}

async function checkFree(path: string, overwrite: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return;
  // Renaming something over a device would take it from the whole machine.
  if (!found.isFile()) throw new BackupError(`${path} is not a file`);
  if (!overwrite) throw taken(path);
}

/** A rename would replace a file that has come meanwhile; a link does not. */
async function renameToFree(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await rm(from);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "EEXIST") throw taken(to);
    if (!NO_LINKS.has(code)) throw error;
    await checkFree(to, false);
    await rename(from, to);
  }
}

/** Makes the new name last, should the power go. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

function taken(path: string): BackupError {
  return new BackupError(`${path} is there already: choose another name, or say --overwrite`);
}
