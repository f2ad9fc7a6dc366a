import type { Writable } from "node:stream";
import { BackupError } from "../backup/backup-error.ts";
import { openBackupFile } from "../backup/backup-file.ts";
import { compress } from "../backup/compression.ts";
import { writeBackup } from "../backup/write-backup.ts";
import { EXIT } from "../cli/exit-code.ts";
import { type EmbeddedStore, type OwnerStore, parseOwnerStore } from "../config.ts";
import { reachEmbeddedDatabase } from "../embedded-database.ts";
import { readSnapshot } from "../postgres/read-snapshot.ts";
import type { Secret } from "../secret.ts";
import { systemClock } from "../time.ts";
import { version } from "../version.ts";
import { abortOnSignal } from "./abort-on-signal.ts";
import { explain } from "./known-failure.ts";
import { type RowProgress, startRowProgress } from "./row-progress.ts";
import type { Surroundings } from "./surroundings.ts";

const NOTE = "Root and operator keys are not in it.";

/**
 * Writes a backup into the file at `path`, or to standard output for `-`.
 *
 * @throws CommandFailure if that cannot be done; then there is no such file, or the one of before
 */
export async function backup(host: Surroundings, path: string, { overwrite }: { overwrite: boolean }): Promise<void> {
  try {
    const store = parseOwnerStore(host.env);
    using stop = abortOnSignal(host);
    if (path === "-") {
      await toStandardOutput(host, store, stop.signal);
      return;
    }
    await using file = await openBackupFile(path, overwrite);
    const progress = startRowProgress(host.stderr);
    await writeAll({ store, output: file.stream, progress, signal: stop.signal });
    await file.keep();
    progress.end(`Backed up into ${path}`, NOTE);
  } catch (error) {
    throw explain(error);
  }
}

async function toStandardOutput(
  { stdout, stderr, exit }: Surroundings,
  store: EmbeddedStore | OwnerStore,
  signal: AbortSignal,
): Promise<void> {
  if (stdout.isTTY) throw new BackupError("a backup is no text for a terminal: redirect it, or name a file");
  // Other commands end in peace when their reader has enough, but half a backup is no backup.
  stdout.prependListener("error", () => exit(EXIT.failure));
  const progress = startRowProgress(stderr);
  await writeAll({ store, output: stdout, progress, signal });
  progress.end("Backed up", NOTE);
}

interface Parts {
  readonly store: EmbeddedStore | OwnerStore;
  readonly output: Writable;
  readonly progress: RowProgress;
  readonly signal: AbortSignal;
}

async function writeAll({ store, output, progress, signal }: Parts): Promise<void> {
  try {
    await using source = await reachSource(store);
    await readSnapshot({ url: source.ownerUrl.reveal(), signal }, async ({ migrations, batches }) => {
      const header = { version, migrations, time: new Date(systemClock()).toISOString() };
      await compress(writeBackup(header, progress.count(batches)), output, signal);
    });
  } catch (error) {
    progress.fail();
    throw signal.aborted ? signal.reason : error;
  }
}

async function reachSource(store: EmbeddedStore | OwnerStore): Promise<{ ownerUrl: Secret } & AsyncDisposable> {
  if (store.shape === "embedded") return await reachEmbeddedDatabase(store.dataDir);
  return { ownerUrl: store.migrateDatabaseUrl, async [Symbol.asyncDispose]() {} };
}
