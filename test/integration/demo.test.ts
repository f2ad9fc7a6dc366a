import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("tells the story of a key on real traffic, and leaves nothing behind", async () => {
  const scratch = await mkdtemp(join(tmpdir(), "demo-test-"));
  try {
    const env = { ...process.env, TMPDIR: scratch, NO_COLOR: "1", NODE_DISABLE_COMPILE_CACHE: "1" };
    const { stdout, stderr } = await promisify(execFile)("npm", ["run", "-s", "demo"], { env });
    expect(stderr).toBe("");

    const answers = [...stdout.matchAll(/^ {2}> (\w+ \S+) .*\n {2}< (\d+)/gm)].map(
      ([, request, status]) => `${request} ${status}`,
    );
    expect(answers).toEqual([
      "GET /documents 200",
      "POST /documents 403", // a permission is missing
      "GET /documents 401", // no key
      "GET /documents 200", // the old secret, during the overlap
      "GET /documents 200", // the new one
      "GET /documents 401", // the old one after it
      "GET /documents 200", // the new one
      "GET /documents 401", // revoked
    ]);
    expect(stdout).toContain('"missing_permissions":["documents.write"]');
    const events = [...stdout.matchAll(/^ +\d+ {2}\S+Z {2}(\S+)/gm)].map(([, type]) => type);
    expect(events.slice(-4)).toEqual(["key.created", "key.rotated", "key.rotation_completed", "key.revoked"]);
    // Secrets are shown masked.
    expect(stdout).not.toMatch(/acme_live_[0-9A-Za-z]{20}/);

    expect(globSync("*", { cwd: scratch })).toEqual([]);
    expect(commandLines().filter((line) => line.includes(scratch))).toEqual([]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

/** Of all processes, where the system shows them as files; elsewhere of none. */
function commandLines(): string[] {
  return globSync("/proc/[0-9]*/cmdline").flatMap((path) => {
    try {
      return [readFileSync(path, "utf8")];
    } catch {
      return []; // It has just ended.
    }
  });
}
