import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { findBinaries } from "../../src/embedded/binaries.ts";
import { aHolder, aPath, canSeeProcesses, openOn, postmasterOf, query } from "../harness/embedded.ts";
import { startHolder } from "../harness/holder.ts";
import { findBinariesOf } from "../harness/postgres.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
const ORDINARY = 1000;

describe.runIf(canSeeProcesses)("an embedded Postgres, whoever we are,", () => {
  it("runs as ourselves for an ordinary user, on binaries that are not ours to complete", async () => {
    const uid = isRoot ? ORDINARY : undefined;
    const binariesDir = await bareBinaries();
    await chmod(join(binariesDir, "lib"), 0o555);
    onTestFinished(async () => await chmod(join(binariesDir, "lib"), 0o755));
    const path = await aPath();
    await mkdir(path);
    await chmod(path, 0o777);
    await using holder = await startHolder({ path: join(path, "data"), postgres: true, binariesDir, uid });
    expect(await holder.hold()).toEqual({ held: true, url: expect.anything() });
    expect((await stat(join(path, "data", "postgres"))).uid).toBe(uid ?? process.getuid?.());
    expect(await readdir(join(binariesDir, "lib"))).not.toContain("libpq.so.5");
  });

  it("completes the binaries, whoever else is doing so at the same time", async () => {
    const binariesDir = await bareBinaries();
    const linksDir = await aPath();
    // All of them see that everything is missing before the first has made a link.
    const found = await Promise.all(Array.from({ length: 8 }, () => findBinaries(binariesDir, linksDir)));
    for (const { postgres, env } of found) await promisify(execFile)(postgres, ["--version"], { env });
    expect(await readdir(join(binariesDir, "lib"))).toContain("libpq.so.5");
  });

  it.runIf(isRoot)("runs as nobody for root, whom Postgres refuses, and shows nobody the data folder", async () => {
    const path = await aPath();
    await using _postgres = await openOn(path);
    expect((await stat(`/proc/${await postmasterOf(path)}`)).uid).toBe(NOBODY);
    expect(await stat(path)).toMatchObject({ uid: 0, gid: NOBODY });
    expect((await stat(path)).mode & 0o777).toBe(0o710);
  });

  it.runIf(isRoot)(
    "runs in a user namespace where nobody may not enter the data folder, and does so again",
    async () => {
      const path = join(await closedFolder(), "data");
      for (let start = 0; start < 2; start++) {
        await using postgres = await openOn(path);
        expect(await query(postgres.urlFor(), "select 1 as one")).toEqual([{ one: 1 }]);
        expect((await stat(join(path, "postgres"))).uid).toBe(0);
        expect((await stat(path)).mode & 0o777).toBe(0o700);
        expect(await effectiveCapabilities(await postmasterOf(path))).toBe(0n);
      }
    },
  );

  it.runIf(isRoot)("runs in a user namespace where nobody may not enter the binaries", async () => {
    const closed = await closedFolder();
    await symlink(findBinariesOf(18), join(closed, "native"));
    const path = await aPath();
    await using postgres = await openOn(path, { binariesDir: join(closed, "native") });
    expect(await query(postgres.urlFor(), "select 1 as one")).toEqual([{ one: 1 }]);
    expect((await stat(join(path, "postgres"))).uid).toBe(0);
  });

  it.runIf(isRoot)("takes its data along when nobody may no longer enter, and stays with them", async () => {
    const path = await aPath();
    for (const [mode, uid] of [
      [0o755, NOBODY],
      [0o700, 0],
      [0o755, 0],
    ] as const) {
      await mkdir(path, { recursive: true });
      await chmod(path, mode);
      await using postgres = await openOn(join(path, "data"));
      expect(await query(postgres.urlFor(), "select 1 as one")).toEqual([{ one: 1 }]);
      expect((await stat(join(path, "data", "postgres", "base"))).uid).toBe(uid);
    }
  });

  it.runIf(isRoot)("keeps to the user to whom the data belong", async () => {
    const path = await aPath();
    await mkdir(path);
    await chmod(path, 0o777);
    const asUser = { path: join(path, "data"), postgres: true, uid: ORDINARY };
    const first = await aHolder(asUser);
    await first.hold();
    await first[Symbol.asyncDispose]();
    await (await openOn(join(path, "data")))[Symbol.asyncDispose]();
    await using again = await startHolder(asUser);
    expect(await again.hold()).toMatchObject({ held: true });
  });

  it.runIf(isRoot)("says what is the matter and what to do when there is no way to run it", async () => {
    const closed = await closedFolder();
    // Not even root in a namespace may run what is nobody's to run.
    const binariesDir = join(closed, "native");
    await mkdir(join(binariesDir, "bin"), { recursive: true });
    for (const name of ["postgres", "initdb"]) await cp("/dev/null", join(binariesDir, "bin", name));
    const opening = openOn(await aPath(), { binariesDir });
    await expect(opening).rejects.toThrow(
      /cannot be run here:\n {2}as user 65534: .*denied\n {2}as root in a user namespace: .*\n.*ordinary user/s,
    );
  });
});

/** A folder that root alone may enter. */
async function closedFolder(): Promise<string> {
  const path = await aPath();
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** Binaries as npm unpacks them with install scripts off. */
async function bareBinaries(): Promise<string> {
  const path = await aPath();
  await cp(findBinariesOf(18), path, { recursive: true, verbatimSymlinks: true });
  for (const entry of await readdir(join(path, "lib"), { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(join(path, "lib", entry.name));
  }
  await chmod(path, 0o755);
  return path;
}

async function effectiveCapabilities(pid: number): Promise<bigint> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1]}`);
}
