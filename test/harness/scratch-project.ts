import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { openTemporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");
const tsc = join(root, "node_modules", ".bin", "tsc");

/** A project of somebody else's that has installed the SDK as it would be published. */
export interface ScratchProject extends AsyncDisposable {
  readonly path: string;
  /** The manifest of the installed SDK. */
  readonly manifest: Readonly<Record<string, unknown>>;
  /** The paths of the files that the package brought. */
  readonly files: readonly string[];
  write(name: string, source: string): Promise<void>;
  /**
   * Checks `names` by TypeScript, strictly and with the SDK's own declarations. Gives what it finds, but for declarations
   * of other packages: Connect's speak of `HeadersInit`, which Node's types do not have.
   */
  check(names: readonly string[], options: object): Promise<string>;
}

/**
 * Packs the SDK as it was built last and unpacks it into a project of its own. Instead of from a registry its
 * dependencies, and `besides`, come as links into our own `node_modules`: exactly those that its manifest names, so
 * that one that it forgot is missed.
 */
export async function openScratchProject(besides: readonly string[]): Promise<ScratchProject> {
  const folder = await openTemporaryFolder();
  const { path } = folder;
  const installed = join(path, "node_modules", "@clavis", "sdk");
  await mkdir(installed, { recursive: true });
  const packed = await run("npm", ["pack", "--silent", "--pack-destination", path], { cwd: join(root, "sdk", "dist") });
  await run("tar", ["-xzf", join(path, packed.stdout.trim()), "--strip-components=1", "-C", installed]);

  const manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  for (const name of [...Object.keys(manifest.dependencies), ...besides]) {
    const link = join(path, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(root, "node_modules", name), link);
  }
  await writeFile(join(path, "package.json"), JSON.stringify({ name: "scratch", type: "module" }));

  return {
    path,
    manifest,
    files: await readdir(installed, { recursive: true }),
    write: (name, source) => writeFile(join(path, name), source),
    async check(names, options) {
      const compilerOptions = { module: "nodenext", strict: true, noEmit: true, ...options };
      await writeFile(join(path, "tsconfig.json"), JSON.stringify({ compilerOptions, files: names }));
      return run(tsc, ["-p", path], { cwd: path }).then(
        () => "",
        ({ stdout }: { stdout: string }) => stdout.split("\n").filter(concernsUs).join("\n"),
      );
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

function concernsUs(finding: string): boolean {
  return finding !== "" && !/^[^(]*node_modules\/(?!@clavis\/)/.test(finding);
}
