import { chmod, chown, lchown, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Owner } from "./server-user.ts";

/**
 * Lets the server's user pass through `folder` to what is its own in there: only pass, not list or write. Returns what
 * takes that back. Does nothing where the user may pass already, as we may ourselves through the folder that we
 * hold, and anyone through one of their own.
 */
export async function letThrough(user: Owner, folder: string): Promise<() => Promise<void>> {
  const { uid, gid, mode } = await stat(folder);
  const mayPass = [uid, process.getuid?.()].includes(user.uid) || (mode & 0o001) !== 0;
  if (mayPass) return async () => {};
  await chown(folder, uid, user.gid);
  await chmod(folder, (mode & 0o7707) | 0o010);
  return async () => {
    await chown(folder, uid, gid);
    await chmod(folder, mode & 0o7777);
  };
}

/** Makes `folder` if need be, and the server's user its owner, whom alone it lets in. */
export async function makeFolderFor(user: Owner, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await giveTo(user, folder);
  await chmod(folder, 0o700);
}

/**
 * Gives the server's user `folder` with all that is in it. The folder comes last: while it isn't given, the rest may
 * not be.
 */
export async function giveTo(user: Owner, folder: string): Promise<void> {
  if ((await stat(folder)).uid === user.uid) return;
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), user.uid, user.gid);
  await lchown(folder, user.uid, user.gid);
}
