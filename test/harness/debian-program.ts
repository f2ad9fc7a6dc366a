import { execFile } from "node:child_process";
import { constants, globSync } from "node:fs";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

/** A program that can be run. */
export interface Program {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

const run = promisify(execFile);

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/clavis");

/** A mirror that hangs shall cost a skipped suite, not the run. */
const APT_MS_MAX = 60_000;

/**
 * The first of the programs `names` that is on the path, or else in Debian's package `debianPackage`, which is fetched
 * and unpacked into a cache folder; that needs no root. Undefined if there is no way to have it.
 */
export async function findProgram(names: readonly string[], debianPackage: string): Promise<Program | undefined> {
  const folders = installedFolders();
  const installed = await findInstalled(names);
  if (installed !== undefined) return { path: installed, env: { PATH: folders.join(delimiter) } };

  const root = join(CACHE, debianPackage);
  if (!(await exists(root)) && !(await fetchPackage(debianPackage, root))) return undefined;
  const path = await findIn([join(root, "usr/bin"), join(root, "usr/sbin")], names);
  if (path === undefined) return undefined;
  const libraries = globSync("usr/lib/*-linux-gnu*", { cwd: root }).map((folder) => join(root, folder));
  return { path, env: { PATH: folders.join(delimiter), LD_LIBRARY_PATH: libraries.join(delimiter) } };
}

/** The path of the first of the programs `names` that is installed. */
export async function findInstalled(names: readonly string[]): Promise<string | undefined> {
  return await findIn(installedFolders(), names);
}

/** Servers are often in folders that only an administrator's path has. */
function installedFolders(): string[] {
  return [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
}

async function findIn(folders: readonly string[], names: readonly string[]): Promise<string | undefined> {
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (await exists(path)) return path;
  }
  return undefined;
}

/**
 * Unpacks the package, with those that it needs and this machine lacks, beside `root` and renames: others do so too.
 */
async function fetchPackage(debianPackage: string, root: string): Promise<boolean> {
  await mkdir(dirname(root), { recursive: true });
  const unfinished = await mkdtemp(`${root}.new-`);
  try {
    const options = { cwd: unfinished, timeout: APT_MS_MAX };
    const { stdout } = await run(
      "apt-get",
      ["--simulate", "--no-install-recommends", "install", debianPackage],
      options,
    );
    const missing = Array.from(stdout.matchAll(/^Inst (\S+)/gm), ([, name]) => name ?? "");
    await run("apt-get", ["download", ...missing], options);
    const unpacked = join(unfinished, "root");
    for (const file of globSync("*.deb", { cwd: unfinished })) await run("dpkg-deb", ["-x", file, unpacked], options);
    await rename(unpacked, root);
    return true;
  } catch {
    // No Debian, no network, no such package; or another process has been quicker.
    return await exists(root);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
