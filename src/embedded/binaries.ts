import { access, mkdir, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, delimiter, dirname, join, relative, resolve } from "node:path";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";

/** The programs of one Postgres, ready to run. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** What they need in their environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** One entry of the package's list: a library file, and the name that must point to it. */
interface MissingLink {
  readonly source: string;
  readonly target: string;
}

/**
 * The Postgres in `binariesDir` (the folder with `bin`, `lib` and `share`), or else the one that npm installed for this
 * platform. `linksDir` is a folder of our own, made only if it is needed.
 *
 * @throws EmbeddedPostgresError if there is none
 */
export async function findBinaries(binariesDir: string | undefined, linksDir: string): Promise<Binaries> {
  const folder = resolve(binariesDir ?? installedFolder());
  const postgres = join(folder, "bin", "postgres");
  const initdb = join(folder, "bin", "initdb");
  if (process.platform === "win32") {
    throw new EmbeddedPostgresError("Postgres cannot be embedded on Windows yet: set the URL of one of your own");
  }
  if (!(await exists(postgres)) || !(await exists(initdb))) {
    throw new EmbeddedPostgresError(`there is no Postgres in ${folder}: bin/postgres and bin/initdb are missing`);
  }
  return { postgres, initdb, env: await linkLibraries(folder, linksDir) };
}

function installedFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `the package ${name}, which carries Postgres, is not installed. Install with optional dependencies, or use a ` +
        "Postgres of your own by setting its URL",
      { cause },
    );
  }
}

/**
 * Gives the libraries the short names by which the programs look for them. npm packages cannot hold symbolic links, so
 * the package brings a list of them and an install script; but install scripts are often off.
 *
 * Several processes may do this at once: each link appears whole, and one that is there already is as good as ours.
 * Where the package's folder is not ours to write, the links go to `linksDir` and the loader is told of it.
 */
async function linkLibraries(folder: string, linksDir: string): Promise<Record<string, string>> {
  const missing: MissingLink[] = [];
  for (const link of await readLinks(folder)) {
    if (!(await exists(join(folder, link.target)))) missing.push(link);
  }
  try {
    for (const { source, target } of missing) await link(basename(source), join(folder, target));
    return {};
  } catch (cause) {
    if (!isRefused(cause)) throw cause;
    // Elsewhere than on Linux the loader's variable does not survive the shell that Postgres runs under.
    if (process.platform !== "linux") throw new EmbeddedPostgresError(`links cannot be made in ${folder}`, { cause });
  }
  // Links of an earlier start may point to a package that has moved since.
  await rm(linksDir, { recursive: true, force: true });
  await mkdir(linksDir, { recursive: true, mode: 0o755 });
  for (const { source, target } of missing) await link(join(folder, source), join(linksDir, basename(target)));
  // The real names as well: a library that is found by its link looks for its own needs beside the link.
  return { LD_LIBRARY_PATH: [linksDir, join(folder, "lib")].join(delimiter) };
}

/** The list's links, their paths made relative to the binaries' folder, which the list calls `native`. */
async function readLinks(folder: string): Promise<readonly MissingLink[]> {
  const path = join(folder, "pg-symlinks.json");
  if (!(await exists(path))) return [];
  const links = JSON.parse(await readFile(path, "utf8")) as MissingLink[];
  return links.map(({ source, target }) => ({
    source: relative("native", source),
    target: relative("native", target),
  }));
}

async function link(pointsTo: string, path: string): Promise<void> {
  try {
    await symlink(pointsTo, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

function isRefused(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(codeOf(error) ?? "");
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
