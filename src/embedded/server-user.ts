import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { letThrough } from "./ownership.ts";

/** Whom files belong to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Who a server runs as: the owner, as seen from outside of the server, of the files that it writes. */
export interface ServerUser extends Owner {
  /** Such as "as user 1000". */
  readonly description: string;
  /** What to spawn so that `argv` runs as this user. */
  commandFor(argv: readonly [string, ...string[]]): Command;
}

/** The first arguments of `spawn`. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

export interface ServerUserChoice {
  readonly binaries: Binaries;
  /** The data folder, which the user must be able to enter. */
  readonly folder: string;
  /** The owner of the data that is there already, if any is. */
  readonly dataOwner: Owner | undefined;
}

const ROOT = 0;

/** "nobody" on Linux: there on every machine, and owner of nothing. */
const NOBODY: Owner = { uid: 65534, gid: 65534 };

/**
 * Who Postgres is to run as, and the major version that it says it is. As an ordinary user that is ourselves. Postgres
 * refuses root, and then it is, in the order in which existing data suggests it, whichever works of
 *
 * - an unprivileged user: the data's owner, or "nobody". Needs folders that this user may enter;
 * - root itself, in a user namespace where it appears as "nobody" and has lost its powers over all but its own files.
 *   For folders below a closed home; container runtimes often forbid it.
 *
 * @throws EmbeddedPostgresError if none works, with why
 */
export async function chooseServerUser(choice: ServerUserChoice): Promise<{ user: ServerUser; version: number }> {
  const refusals: string[] = [];
  for (const owner of candidates(choice.dataOwner)) {
    const user = serverUserOf(owner);
    const takeBack = await letThrough(user, choice.folder);
    try {
      return { user, version: await probe(user, choice) };
    } catch (error) {
      await takeBack();
      refusals.push(`  ${user.description}: ${reasonOf(error)}`);
    }
  }
  throw new EmbeddedPostgresError(
    `Postgres cannot be run here:\n${refusals.join("\n")}\nPostgres never runs as root. Run this as an ordinary user, ` +
      `or use a data folder and an installation in places that every user may enter`,
  );
}

/** The server user who owns what belongs to `owner`. */
export function serverUserOf({ uid, gid }: Owner): ServerUser {
  if (uid === ROOT) return { uid, gid, description: "as root in a user namespace", commandFor: inNamespace };
  const identity = uid === process.getuid?.() ? {} : { uid, gid };
  return { uid, gid, description: `as user ${uid}`, commandFor: ([file, ...args]) => ({ file, args, identity }) };
}

function inNamespace(argv: readonly string[]): Command {
  const args = ["--user", `--map-user=${NOBODY.uid}`, `--map-group=${NOBODY.gid}`, "--", ...argv];
  return { file: "unshare", args, identity: {} };
}

/** Who may run the server, the likeliest first. */
function candidates(dataOwner: Owner | undefined): Owner[] {
  const self = { uid: process.getuid?.() ?? NOBODY.uid, gid: process.getgid?.() ?? NOBODY.gid };
  if (self.uid === ROOT) return dataOwner?.uid === ROOT ? [self, NOBODY] : [dataOwner ?? NOBODY, self];
  if (dataOwner !== undefined && dataOwner.uid !== self.uid) throw foreignData(dataOwner.uid, self.uid);
  return [self];
}

function foreignData(ownerUid: number, uid: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `the data belongs to user ${ownerUid}, and this is user ${uid}. Run as user ${ownerUid} or as root, or give the ` +
      "data folder and everything in it to this user",
  );
}

/** Lets the kernel itself say what the user may: modes, access lists, mounts and security modules all have a word. */
async function probe(user: ServerUser, { binaries, folder }: ServerUserChoice): Promise<number> {
  const script = 'cd "$1" && exec "$2" --version';
  const { file, args, identity } = user.commandFor(["sh", "-c", script, "sh", folder, binaries.postgres]);
  const { stdout } = await promisify(execFile)(file, args, { ...identity, env: binaries.env, cwd: "/" });
  const version = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`unexpected version: ${stdout.trim()}`);
  return Number(version);
}

/** What the program or the shell said last, where it said anything. */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string };
  return stderr?.trim() || message;
}
