/**
 * Compares the contract with the one on main by the rules of `buf breaking`; fails where a client would break.
 *
 * The base is the commit at which this branch left `origin/main` or, without a remote, `main`. Its protos are unpacked
 * into a temporary folder next to today's third-party protos, which git does not keep.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const thirdParty = ".third-party-proto";

const base = ["origin/main", "main"].map(branchPoint).find((commit) => commit !== undefined);
if (base === undefined || git("ls-tree", "--name-only", base, "proto/") === "") {
  console.log("breaking: main has no contract yet, nothing to compare with");
} else {
  const folder = mkdtempSync(join(tmpdir(), "clavis-breaking-"));
  try {
    const archive = execFileSync("git", ["archive", base, "proto", "buf.yaml"], { cwd: root });
    execFileSync("tar", ["-x", "-C", folder], { input: archive });
    cpSync(join(root, thirdParty), join(folder, thirdParty), { recursive: true });
    execFileSync("buf", ["breaking", "--against", folder], { cwd: root, stdio: "inherit" });
    console.log(`breaking: compatible with ${base.slice(0, 10)}`);
  } catch {
    console.error(`breaking: not compatible with ${base.slice(0, 10)}, see above`);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The commit that HEAD and `branch` share, the tip of `branch` in a shallow clone, undefined without the branch. */
function branchPoint(branch: string): string | undefined {
  const tip = git("rev-parse", "--verify", "--quiet", `${branch}^{commit}`);
  if (tip === "") return undefined;
  return git("merge-base", "HEAD", tip) || tip;
}

/** What git prints; empty where it fails. */
function git(...args: string[]): string {
  return spawnSync("git", args, { cwd: root, encoding: "utf8" }).stdout.trim();
}
