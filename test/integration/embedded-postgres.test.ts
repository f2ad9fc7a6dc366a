import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { aPath, openOn, query, socketFolderOf } from "../harness/embedded.ts";
import { findBinariesOf } from "../harness/postgres.ts";
import { until } from "../harness/until.ts";

describe("an embedded Postgres", () => {
  it.each([18, 14] as const)("takes connections on a new folder (Postgres %i)", async (version) => {
    await using postgres = await openOn(await aPath(), { binariesDir: findBinariesOf(version) });
    expect(postgres.version).toBe(version);
    const [row] = await query(
      postgres.urlFor(),
      `select current_setting('server_encoding') as encoding, current_setting('data_checksums') as checksums,
              current_setting('listen_addresses') as addresses, datcollate as collation, current_user as role
       from pg_database where datname = current_database()`,
    );
    expect(row).toEqual({ encoding: "UTF8", checksums: "on", addresses: "", collation: "C", role: "postgres" });
  });

  it("gives URLs for roles and databases whose names need quotes", async () => {
    await using postgres = await openOn(await aPath());
    await query(postgres.urlFor(), `create role "a röle" login`);
    await query(postgres.urlFor(), `create database "a dätabase"`);
    const url = postgres.urlFor({ role: "a röle", database: "a dätabase" });
    expect(await query(url, "select current_user as role")).toEqual([{ role: "a röle" }]);
  });

  it("keeps what was committed across restarts", async () => {
    const path = await aPath();
    {
      await using postgres = await openOn(path);
      await query(postgres.urlFor(), "create table kept as select 42 as answer");
    }
    await using postgres = await openOn(path);
    expect(await query(postgres.urlFor(), "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("refuses data of another version and says how to move them", async () => {
    const path = await aPath();
    await (await openOn(path, { binariesDir: findBinariesOf(14) }))[Symbol.asyncDispose]();
    await expect(openOn(path)).rejects.toThrow(/was made by Postgres 14, and this is Postgres 18\. .* back it up/s);
  });

  it("shows the end of Postgres's log when it does not start", async () => {
    const opening = openOn(await aPath(), { settings: { shared_buffers: "plenty" } });
    await expect(opening).rejects.toThrow(
      /did not start \(exit code 1\).*invalid value for parameter "shared_buffers"/s,
    );
  });

  it("keeps its socket elsewhere where the folder's path is too long for one, and takes it away again", async () => {
    const path = join(await aPath(), "x".repeat(100));
    const postgres = await openOn(path);
    const socketFolder = socketFolderOf(postgres.urlFor());
    expect(socketFolder.startsWith(path)).toBe(false);
    expect((await stat(socketFolder)).mode & 0o777).toBe(0o700);
    await query(postgres.urlFor(), "select");
    await postgres[Symbol.asyncDispose]();
    await expect(stat(socketFolder)).rejects.toThrow("ENOENT");
  });

  it("writes no part of a statement to its log, not even of one that fails or crashes the server", async () => {
    const path = await aPath();
    await using postgres = await openOn(path);
    const url = postgres.urlFor();
    await query(url, "create table secrets (secret text unique)");
    for (const statement of [
      "select 'hunter2'::int",
      "hunter2",
      "insert into secrets values ('hunter2'), ('hunter2')",
    ]) {
      await expect(query(url, statement)).rejects.toThrow();
    }
    await expect(query(url, "select $1::int", ["hunter2"])).rejects.toThrow("hunter2");

    const log = async () => await readFile(join(path, "postgres.log"), "utf8");
    const crashing = query(url, "select 'hunter2', pg_sleep(60)").catch((error: Error) => error);
    const [{ pid } = {}] = await until("the statement runs", async () => {
      const rows = await query(
        url,
        "select pid from pg_stat_activity where query like '%pg_sleep(60)' and state = 'active'",
      );
      return rows.length > 0 && rows;
    });
    process.kill(Number(pid), "SIGKILL");
    expect(await crashing).toBeInstanceOf(Error);
    await until("the crash is logged", async () => (await log()).includes("was terminated by signal 9"));
    await until("it has recovered", async () => await query(url, "select 1 as one").catch(() => false));
    expect(await log()).not.toContain("hunter2");
  });
});
