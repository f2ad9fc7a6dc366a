import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { openEmbeddedPostgres } from "../../src/embedded/embedded-postgres.ts";
import {
  aHolder,
  aPath,
  canSeeProcesses,
  holdPostgres,
  openOn,
  postmasterOf,
  processesIn,
  query,
  socketFolderOf,
} from "../harness/embedded.ts";
import { until } from "../harness/until.ts";

describe.runIf(canSeeProcesses)("an embedded Postgres, when it or its process ends,", () => {
  it("reports that the server has ended by itself, and can be opened again though a child is still busy", async () => {
    const path = await aPath();
    await using folder = openDataFolder(path);
    const postgres = await openEmbeddedPostgres({ folder, settings: { fsync: "off" } });
    const url = postgres.urlFor();
    const busy = query(url, "select count(*) from generate_series(1, 1e12::bigint)").catch(() => {});
    await until("the child is busy", async () => {
      const rows = await query(
        url,
        "select from pg_stat_activity where query like '%1e12%' and pid <> pg_backend_pid()",
      );
      return rows.length > 0;
    });
    process.kill(await postmasterOf(path), "SIGKILL");
    expect((await postgres.failed).message).toMatch(/Postgres has ended \(exit code 137\)/);
    expect(await processesIn(path)).not.toEqual([]);
    await using again = await openEmbeddedPostgres({ folder, settings: { fsync: "off" } });
    await busy;
    expect(await query(again.urlFor(), "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("leaves nothing running when its process is killed", async () => {
    const path = join(await aPath(), "x".repeat(100));
    const { holder, url } = await holdPostgres({ path });
    expect(await processesIn(path)).not.toEqual([]);
    await holder.kill();
    await until("Postgres is gone", async () => (await processesIn(path)).length === 0);
    await until("so is its folder in /tmp", async () => !(await exists(socketFolderOf(url))));
  });

  it("starts anew at once when its process was killed, with what was committed", async () => {
    const path = await aPath();
    const { holder, url } = await holdPostgres({ path });
    await query(url, "create table kept as select 42 as answer");
    const before = await postmasterOf(path);
    await holder.kill();
    const began = performance.now();
    await using postgres = await openOn(path);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await postmasterOf(path)).not.toBe(before);
    expect(await query(postgres.urlFor(), "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("clears away what a process has left that was killed while it made the data", async () => {
    const path = await aPath();
    const holder = await aHolder({ path, postgres: true });
    const holding = holder.hold().catch(() => {});
    const isUnfinished = (name: string) => name.startsWith("postgres.new-");
    await until("data are in the making", async () => (await readdir(path).catch(() => [])).some(isUnfinished));
    await holder.kill();
    await holding;
    expect(await exists(join(path, "postgres"))).toBe(false);
    await mkdir(join(path, "postgres.new-older", "base"), { recursive: true });

    await using postgres = await openOn(path);
    expect(await query(postgres.urlFor(), "select 1 as one")).toEqual([{ one: 1 }]);
    expect((await readdir(path)).filter(isUnfinished)).toEqual([]);
  });

  it("outlives a Ctrl-C in its process's terminal, so that calls can be finished", async () => {
    const path = await aPath();
    const { holder, url } = await holdPostgres({ path });
    // A terminal signals a process group, to which the holder belongs as its leader.
    process.kill(-holder.pid, "SIGINT");
    process.kill(-holder.pid, "SIGINT");
    expect(await query(url, "select pg_sleep(0.2), 1 as one")).toMatchObject([{ one: 1 }]);
    await holder[Symbol.asyncDispose]();
    expect(await processesIn(path)).toEqual([]);
  });

  it("is not disturbed by a second start on its folder", async () => {
    const path = await aPath();
    const { holder, url } = await holdPostgres({ path });
    const second = await aHolder({ path, postgres: true });
    expect(await second.hold()).toMatchObject({
      held: false,
      error: expect.stringMatching(`in use by process ${holder.pid}`),
    });
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
