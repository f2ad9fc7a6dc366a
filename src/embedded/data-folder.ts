import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isAlive, parsePid } from "./process-id.ts";
import { readOrCreateSecretFile } from "./secret-file.ts";

/**
 * The folder where an embedded Clavis keeps everything. Whoever has this object is the only one who uses the folder.
 */
export interface DataFolder extends AsyncDisposable {
  /** Absolute, and free of symbolic links. */
  readonly path: string;
  /** The text of the file `name`, which `make` gives when there is none yet. Only our own user may read it. */
  readOrCreateSecretFile(name: string, make: () => string): string;
  /** Whether the file `name` is there. */
  has(name: string): boolean;
}

/** A data folder that cannot be used. The message names the folder and says what to do. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
  /** The process that holds the folder, where it is in use and that process is known. */
  readonly holderPid: number | undefined;

  constructor(message: string, options?: ErrorOptions & { holderPid?: number | undefined }) {
    super(message, options);
    this.holderPid = options?.holderPid;
  }
}

const LOCK_FILE = "lock";
const PID_FILE = "pid";

/**
 * `SQLITE_BUSY`: another connection, of this process or another, has the lock. https://www.sqlite.org/rescode.html#busy
 */
const SQLITE_BUSY = 5;

/**
 * Opens the data folder at `path`, making it (0700) if it is not there, and holds it until it is disposed or this
 * process ends, however it ends.
 *
 * @throws DataFolderError if another process holds the folder, or if it cannot be written or locked
 */
export function openDataFolder(path: string): DataFolder {
  const folder = makeFolder(resolve(path));
  const lock = lockFolder(folder);
  return {
    path: folder,
    readOrCreateSecretFile: (name, make) => readOrCreateSecretFile(join(folder, name), make),
    has: (name) => existsSync(join(folder, name)),
    async [Symbol.asyncDispose]() {
      if (lock.isOpen) lock.close();
    },
  };
}

function makeFolder(path: string): string {
  try {
    // What leads to the folder is nobody's secret, and a Postgres that shuns root may have to pass it as another user.
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return realpathSync(path);
  } catch (cause) {
    throw new DataFolderError(`the data folder ${path} cannot be made: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Takes the lock, or throws.
 *
 * Node has no `flock`, but it has SQLite, whose exclusive transaction is the operating system's own lock on a file. The
 * kernel grants it to exactly one of any number of starters and drops it when its holder dies, so that no lock is ever
 * stale. A file with a process id in it has neither virtue: taking over a dead one's file races with others who do the
 * same, and ids come again. Nothing is ever stored in this database.
 *
 * Nobody in this process may open the file by other means: the kernel drops a process's lock when any of its
 * descriptors of the file is closed (POSIX, `fcntl`).
 */
function lockFolder(folder: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, LOCK_FILE), { timeout: 0 });
    lock.exec("pragma journal_mode = memory; begin exclusive");
    writeFileSync(join(folder, PID_FILE), `${process.pid}\n`, { mode: 0o600 });
    return lock;
  } catch (cause) {
    lock?.close();
    throw isBusy(cause) ? inUse(folder, cause) : notUsable(folder, cause);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

function inUse(folder: string, cause: unknown): DataFolderError {
  const holderPid = readHolderPid(folder);
  const holder = holderPid === undefined ? "another process" : `process ${holderPid}`;
  return new DataFolderError(
    `the data folder ${folder} is in use by ${holder}. Stop that one first, or choose another folder`,
    { cause, holderPid },
  );
}

function notUsable(folder: string, cause: unknown): DataFolderError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DataFolderError(
    `the data folder ${folder} cannot be locked: ${reason}. It must be on a file system that this user can write to ` +
      "and that knows file locks",
    { cause },
  );
}

/** Who holds the folder. Undefined for the moment in which the holder has the lock but hasn't yet written its id. */
function readHolderPid(folder: string): number | undefined {
  try {
    const pid = parsePid(readFileSync(join(folder, PID_FILE), "utf8"));
    return pid !== undefined && isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
