/**
 * Compiles the SDK into `sdk/dist`, ready for `npm pack` there, and checks the package as its users will see it.
 *
 * In this repository the SDK's sources are used as they are; only what is published is compiled.
 */
import { execFileSync } from "node:child_process";
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = join(root, "sdk", "dist");

await rm(dist, { recursive: true, force: true });
run("tsc", "--project", "sdk/tsconfig.build.json");

const { private: _, ...manifest } = JSON.parse(await readFile(join(root, "sdk", "package.json"), "utf8"));
const sources: Record<string, string> = manifest.exports;
manifest.exports = Object.fromEntries(
  Object.entries(sources).map(([subpath, source]) => [
    subpath,
    { types: source.replace(/\.ts$/, ".d.ts"), default: source.replace(/\.ts$/, ".js") },
  ]),
);
await writeFile(join(dist, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
await copyFile(join(root, "LICENSE"), join(dist, "LICENSE"));
await copyFile(join(root, "sdk", "README.md"), join(dist, "README.md"));

run("publint", "--strict", dist);
run("attw", "--pack", dist, "--profile", "esm-only");

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd: root, stdio: "inherit" });
}
