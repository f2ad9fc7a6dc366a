import { stat } from "node:fs/promises";
import { join } from "node:path";
import { findBinaries } from "./binaries.ts";
import { prepareCluster } from "./cluster.ts";
import type { DataFolder } from "./data-folder.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { stopLeftover } from "./leftover.ts";
import { startPostmaster } from "./postmaster.ts";
import { openServerLog } from "./server-log.ts";
import { chooseServerUser } from "./server-user.ts";
import type { Settings } from "./settings.ts";
import { type Login, socketUrl } from "./socket-url.ts";

/** A Postgres of our own. It stops when it is disposed, and when this process ends, however it ends. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** Major version. */
  readonly version: number;
  /** Resolves if the server ends although nobody disposed it; then open it anew or give up. Never rejects. */
  readonly failed: Promise<EmbeddedPostgresError>;
  /**
   * A libpq URL, without a password: the socket lets in only our own user. By default the superuser's, into the
   * database `postgres`, which is there from the beginning; other roles and databases are the caller's to make.
   */
  urlFor(login?: Login): string;
}

export interface EmbeddedPostgresOptions {
  /** Held by us, hence nobody else has a Postgres on it. */
  readonly folder: DataFolder;
  /** The folder with Postgres's `bin`, `lib` and `share`. By default that of the package which npm installed. */
  readonly binariesDir?: string | undefined;
  /** Settings beyond or instead of the usual ones, such as `{ fsync: "off" }` in tests. */
  readonly settings?: Settings;
}

/**
 * Starts Postgres on the data in `<folder>/postgres`, which it makes on first use. Resolves when it takes connections:
 * after some 0.2 s, or 1 s the first time. What Postgres has to say goes to `<folder>/postgres.log`.
 *
 * @throws EmbeddedPostgresError if it cannot start, with what to do or the end of its log
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, settings = {} } = options;
  const dataDir = join(folder.path, "postgres");
  const binaries = await findBinaries(options.binariesDir, join(folder.path, "lib"));
  await stopLeftover(dataDir);
  const dataOwner = await stat(dataDir).catch(() => undefined);
  const { user, version } = await chooseServerUser({ binaries, folder: folder.path, dataOwner });
  await using log = await openServerLog(join(folder.path, "postgres.log"));
  await prepareCluster({ dataDir, binaries, version, user, settings, log });
  const { server, socketFolder } = await startPostmaster({ dataDir, binaries, user, settings, log });

  let disposed = false;
  const failed = Promise.withResolvers<EmbeddedPostgresError>();
  void server.ended.then(({ how }) => {
    if (!disposed) failed.resolve(new EmbeddedPostgresError(`Postgres has ended (${how}); ${log.path} may tell why`));
  });
  return {
    version,
    failed: failed.promise,
    urlFor: (login) => socketUrl(socketFolder, login),
    async [Symbol.asyncDispose]() {
      disposed = true;
      await server.stop();
    },
  };
}
