/**
 * Adds to `package-lock.json` the optional packages of other platforms that `npm install` left out.
 *
 * A registry mirror may lack packages for platforms it does not serve. npm then drops them from the lock without a
 * word, and `npm ci` fails with "Missing: ... from lock file", here and everywhere else. Run by `npm run lock`.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

interface LockEntry {
  name?: string;
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

/** What a word in the name of a platform package says, in the terms of `process.platform` and `process.arch`. */
const systems: Record<string, string> = {
  aix: "aix",
  android: "android",
  darwin: "darwin",
  freebsd: "freebsd",
  linux: "linux",
  openharmony: "openharmony",
  win: "win32",
  win32: "win32",
  windows: "win32",
};
const processors: Record<string, string> = {
  aarch64: "arm64",
  arm: "arm",
  arm64: "arm64",
  armv7: "arm",
  ia32: "ia32",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  x64: "x64",
};
const libraries: Record<string, string> = { gnu: "glibc", musl: "musl" };

const path = join(import.meta.dirname, "..", "package-lock.json");
const lock: { packages: Record<string, LockEntry> } = JSON.parse(await readFile(path, "utf8"));

let added = 0;
for (const [parentPath, parent] of Object.entries(lock.packages)) {
  for (const [name, wanted] of Object.entries(parent.optionalDependencies ?? {})) {
    if (isLocked(parentPath, name)) continue;
    lock.packages[`node_modules/${name}`] = entryFor(name, wanted, parent.dev === true);
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")));
await writeFile(path, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(`package-lock.json: ${added} entries of other platforms added`);

/** Whether Node would find `name` from the package at `parentPath`, in a tree installed from the lock. */
function isLocked(parentPath: string, name: string): boolean {
  for (let folder = parentPath; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (`${folder === "" ? "" : `${folder}/`}node_modules/${name}` in lock.packages) return true;
    if (folder === "") return false;
  }
}

function entryFor(name: string, wanted: string, dev: boolean): LockEntry {
  const [, alias, version] = /^(?:npm:(.+)@)?(\d+\.\d+\.\d+[^ ]*)$/.exec(wanted) ?? [];
  if (version === undefined) throw new Error(`${name}: ${wanted} is no exact version; add its entry by hand`);
  const words = (alias ?? name).split(/[-/]/);
  const [os, cpu, libc] = [systems, processors, libraries].map((table) => words.flatMap((word) => table[word] ?? []));
  if (os?.length !== 1 || cpu?.length !== 1) throw new Error(`${name}: its name does not tell its platform`);
  return {
    ...(alias === undefined ? {} : { name: alias }),
    version,
    cpu,
    ...(dev ? { dev: true } : {}),
    ...(libc?.length ? { libc } : {}),
    optional: true,
    os,
  };
}
