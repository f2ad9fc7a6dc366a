/**
 * A process that holds what only one may hold, so that tests can kill it. Arguments: the data folder, and for a
 * Postgres in it the word `postgres` and, unless the usual one will do, the folder with its binaries.
 *
 * Prints `up`, waits for a line, then tries, and prints what came of it as a line of JSON. Lets go when its input ends.
 */
import { once } from "node:events";
import { type DataFolder, openDataFolder } from "../../src/embedded/data-folder.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../../src/embedded/embedded-postgres.ts";
import type { Holding } from "./holder.ts";

const [path = "", what, binariesDir] = process.argv.slice(2);
let folder: DataFolder | undefined;
let postgres: EmbeddedPostgres | undefined;

// As a service does that finishes its calls first.
process.on("SIGINT", () => {});
process.stdout.write("up\n");
await once(process.stdin, "data");
process.stdout.write(`${JSON.stringify(await hold())}\n`);
await once(process.stdin, "end");
await postgres?.[Symbol.asyncDispose]();
await folder?.[Symbol.asyncDispose]();

async function hold(): Promise<Holding> {
  try {
    folder = openDataFolder(path);
    if (what === "postgres") {
      postgres = await openEmbeddedPostgres({ folder, binariesDir, settings: { fsync: "off" } });
    }
    return { held: true, url: postgres?.urlFor() };
  } catch (error) {
    const { name, message } = error as Error;
    return { held: false, error: `${name}: ${message}` };
  }
}
