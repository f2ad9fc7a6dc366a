import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedDatabase } from "../../src/embedded-database.ts";
import { migrate } from "../../src/postgres/migrate.ts";

/** A Postgres that several contestants share, with the settings that Clavis gives its own: what is committed is on the disk. */
export interface BenchPostgres extends AsyncDisposable {
  /** As the role that the service runs as. */
  readonly url: string;
  /** As the superuser. */
  readonly ownerUrl: string;
}

/** Clavis's database is in it, migrated and otherwise empty. */
export async function openBenchPostgres(): Promise<BenchPostgres> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { url, ownerUrl, runtimeRole } = stack.use(await openEmbeddedDatabase(join(folder, "data")));
  await migrate({ url: ownerUrl.reveal(), runtimeRole });
  const kept = stack.move();
  return {
    url: url.reveal(),
    ownerUrl: ownerUrl.reveal(),
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}
