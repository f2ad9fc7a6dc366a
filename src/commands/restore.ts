import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { BackupError } from "../backup/backup-error.ts";
import { decompress } from "../backup/compression.ts";
import { openBackup } from "../backup/read-backup.ts";
import { ConfigError, type EmbeddedStore, type OwnerStore, parseOwnerStore } from "../config.ts";
import { openEmbeddedDatabase } from "../embedded-database.ts";
import { roleOf } from "../postgres/bootstrap.ts";
import { migrate } from "../postgres/migrate.ts";
import { checkEmpty, checkRestorable, restoreRows } from "../postgres/restore-rows.ts";
import type { Secret } from "../secret.ts";
import { abortOnSignal } from "./abort-on-signal.ts";
import { explain } from "./known-failure.ts";
import { type RowProgress, startRowProgress } from "./row-progress.ts";
import type { Surroundings } from "./surroundings.ts";

const NOTE = "All secrets that were handed out work as before. Root and operator keys are those of this deployment.";

/**
 * Reads the backup in the file at `path`, or from standard input for `-`, into a database that is empty.
 *
 * @throws CommandFailure if that cannot be done; then nothing of it is there
 */
export async function restore(host: Surroundings, path: string): Promise<void> {
  try {
    const store = parseOwnerStore(host.env);
    using stop = abortOnSignal(host);
    const input = openInput(host, path);
    const progress = startRowProgress(host.stderr);
    await readAll({ store, input, progress, signal: stop.signal });
    progress.end("Restored", NOTE);
  } catch (error) {
    throw explain(error);
  }
}

function openInput({ stdin }: Surroundings, path: string): Readable {
  if (path !== "-") return createReadStream(path);
  if (stdin.isTTY) throw new BackupError("a backup cannot be typed: redirect one into standard input, or name a file");
  return stdin;
}

interface Parts {
  readonly store: EmbeddedStore | OwnerStore;
  readonly input: Readable;
  readonly progress: RowProgress;
  readonly signal: AbortSignal;
}

async function readAll({ store, input, progress, signal }: Parts): Promise<void> {
  try {
    await decompress(input, (chunks) => readInto({ store, progress, signal }, chunks), signal);
  } catch (error) {
    progress.fail();
    throw signal.aborted ? signal.reason : error;
  }
}

async function readInto(
  { store, progress, signal }: Omit<Parts, "input">,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { header, batches } = await openBackup(chunks);
  checkRestorable(header);
  await using target = await openTarget(store);
  const url = target.ownerUrl.reveal();
  // Before the schema is touched: a wrong database shall stay as it is.
  await checkEmpty({ url, signal });
  await migrate({ url, runtimeRole: target.runtimeRole });
  await restoreRows({ url, signal }, progress.count(batches));
}

interface Target extends AsyncDisposable {
  readonly ownerUrl: Secret;
  readonly runtimeRole: string;
}

async function openTarget(store: EmbeddedStore | OwnerStore): Promise<Target> {
  if (store.shape === "embedded") return await openEmbeddedDatabase(store.dataDir);
  const { databaseUrl, migrateDatabaseUrl } = store;
  if (databaseUrl === undefined) {
    const problem = "is needed: its role, which the service runs as, is granted what it needs";
    throw new ConfigError([{ name: "CLAVIS_DATABASE_URL", problem }]);
  }
  const runtimeRole = await roleOf(databaseUrl.reveal());
  return { ownerUrl: migrateDatabaseUrl, runtimeRole, async [Symbol.asyncDispose]() {} };
}
