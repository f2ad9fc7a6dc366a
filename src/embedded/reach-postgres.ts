import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DataFolder, DataFolderError, openDataFolder } from "./data-folder.ts";
import { openEmbeddedPostgres } from "./embedded-postgres.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { type Login, socketUrl } from "./socket-url.ts";

/** A Postgres on a data folder, whoever has started it. */
export interface ReachedPostgres extends AsyncDisposable {
  urlFor(login?: Login): string;
}

/**
 * The Postgres on the data in the folder at `path`: the one that serves there, or else one that is started for the
 * purpose and stops when this is disposed. Makes no folder and no data.
 *
 * @throws EmbeddedPostgresError if there are no data, or if whoever has the folder has no Postgres at this moment
 */
export async function reachEmbeddedPostgres(path: string): Promise<ReachedPostgres> {
  const dataDir = join(resolve(path), "postgres");
  if (!existsSync(join(dataDir, "PG_VERSION"))) {
    throw new EmbeddedPostgresError(
      `there is no Clavis in the data folder ${resolve(path)}, or this user may not look`,
    );
  }
  await using stack = new AsyncDisposableStack();
  const folder = openUnlessHeld(path);
  if (folder instanceof DataFolderError) return await findRunning(dataDir, folder);
  stack.use(folder);
  const postgres = stack.use(await openEmbeddedPostgres({ folder }));
  const kept = stack.move();
  return {
    urlFor: (options) => postgres.urlFor(options),
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}

function openUnlessHeld(path: string): DataFolder | DataFolderError {
  try {
    return openDataFolder(path);
  } catch (error) {
    if (error instanceof DataFolderError) return error;
    throw error;
  }
}

async function findRunning(dataDir: string, cause: DataFolderError): Promise<ReachedPostgres> {
  const { status, socketFolder } = await readPostmasterFile(dataDir);
  if (status !== "ready" || !socketFolder) {
    throw new EmbeddedPostgresError(`${cause.message}, or try again once it is ready`, { cause });
  }
  return { urlFor: (login) => socketUrl(socketFolder, login), async [Symbol.asyncDispose]() {} };
}
