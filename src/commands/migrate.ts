import { ConfigError, parseOwnerStore } from "../config.ts";
import { migrateServer } from "../store.ts";
import type { Host } from "./host.ts";
import { explain } from "./known-failure.ts";

/**
 * Brings the database to this version's schema, and says on standard output what was applied.
 *
 * @throws CommandFailure if that cannot be done
 */
export async function migrate({ env, stdout }: Pick<Host, "env" | "stdout">): Promise<void> {
  try {
    const store = parseOwnerStore(env);
    if (store.shape === "embedded") {
      stdout.write(
        "Not needed: without CLAVIS_DATABASE_URL, `clavis serve` has a Postgres of its own and migrates it.\n",
      );
      return;
    }
    const { databaseUrl, migrateDatabaseUrl } = store;
    if (databaseUrl === undefined) {
      const problem = "is needed: the role in it, as which the service runs, is granted what it needs";
      throw new ConfigError([{ name: "CLAVIS_DATABASE_URL", problem }]);
    }
    const applied = await migrateServer(databaseUrl, migrateDatabaseUrl);
    const lines = applied.length === 0 ? ["Nothing to do."] : applied.map((name) => `applied ${name}`);
    stdout.write(`${lines.join("\n")}\n`);
  } catch (error) {
    throw explain(error);
  }
}
