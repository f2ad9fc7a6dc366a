import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { onTestFinished } from "vitest";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../../src/embedded/embedded-postgres.ts";
import { type Holder, type HolderOptions, startHolder } from "./holder.ts";
import { openTemporaryFolder } from "./temporary-folder.ts";

/** What is seen here of processes comes from `/proc`. */
export const canSeeProcesses = process.platform === "linux";

/** The path of a folder that is not there yet. */
export async function aPath(): Promise<string> {
  const folder = await openTemporaryFolder();
  onTestFinished(async () => await folder[Symbol.asyncDispose]());
  return join(folder.path, "data");
}

interface OpenOptions {
  readonly binariesDir?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A Postgres that brings its data folder along. */
export async function openOn(path: string, { binariesDir, settings }: OpenOptions = {}): Promise<EmbeddedPostgres> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(openDataFolder(path));
  const postgres = stack.use(
    await openEmbeddedPostgres({ folder, binariesDir, settings: { fsync: "off", ...settings } }),
  );
  const kept = stack.move();
  return { ...postgres, [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}

export async function aHolder(options: HolderOptions): Promise<Holder> {
  const holder = await startHolder(options);
  onTestFinished(async () => await holder[Symbol.asyncDispose]());
  return holder;
}

export async function holdPostgres(options: HolderOptions): Promise<{ holder: Holder; url: string }> {
  const holder = await aHolder({ ...options, postgres: true });
  const holding = await holder.hold();
  if (!holding.held) throw new Error(holding.error);
  return { holder, url: holding.url ?? "" };
}

type Row = Record<string, unknown>;

export async function query(url: string, statement: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  // The server may go while the connection is open.
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query<Row>(statement, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

export function socketFolderOf(url: string): string {
  return new URL(url.replace("@/", "@socket/")).searchParams.get("host") ?? "";
}

export async function postmasterOf(path: string): Promise<number> {
  return Number.parseInt(await readFile(join(path, "postgres", "postmaster.pid"), "utf8"), 10);
}

/** The ids of all that runs in the data folder at `path`; a zombie does not, having no folder any more. */
export async function processesIn(path: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(ids.map((id) => readlink(`/proc/${id}/cwd`).catch(() => "")));
  return ids.filter((_, i) => folders[i]?.startsWith(path));
}
