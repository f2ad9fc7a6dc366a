import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import type { BackupHeader, RowBatch } from "../../src/backup/format.ts";
import { writeBackup } from "../../src/backup/write-backup.ts";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { socketUrl } from "../../src/embedded/socket-url.ts";
import { aFolder, anEmptyDatabase, embeddedIn, fill, onEmbedded, serverOn } from "../harness/backups.ts";
import { type ClavisCommand, type CommandExit, startCommand } from "../harness/clavis-command.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openSql, type Sql } from "../harness/sql.ts";
import { readStored, rowsIn, type Stored } from "../harness/stored.ts";
import { until } from "../harness/until.ts";

/** A backup of some keys, and what is in it. */
let file: Buffer;
let stored: Stored;

beforeAll(async () => {
  await using database = await openTestDatabase();
  await fill(database.adminUrl, 2_000);
  await using command = startCommand(["backup", "-"], serverOn(database));
  file = Buffer.concat((await command.stdout.toArray()) as Buffer[]);
  stored = await readStored(database.adminUrl);
});

// Each starts processes, and data folders take a second to make on a machine that is idle.
describe("a restore", { timeout: 90_000 }, () => {
  it("reads standard input", async () => {
    const database = await anEmptyDatabase();
    expect(await restoreFrom(file, serverOn(database))).toMatchObject({ code: 0 });
    expect(await readStored(database.adminUrl)).toEqual(stored);
  });

  it("is refused where anything is, of which nothing is lost", async () => {
    await using database = await openTestDatabase();
    await fill(database.adminUrl, 3);
    const before = await readStored(database.adminUrl);
    const refused = await restoreFrom(file, serverOn(database));
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("there is something already") });
    expect(await readStored(database.adminUrl)).toEqual(before);
    expect(before.keys).toHaveLength(3);
  });

  it("brings nothing of a backup that was cut off or changed, and then all of the whole one", async () => {
    await using database = await openTestDatabase();
    const text = gunzipSync(file);
    const flipped = Buffer.from(text);
    const at = text.lastIndexOf("stop_time") - 100;
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    const unreadable = Buffer.from(file);
    unreadable.fill(0x55, file.length >> 1, (file.length >> 1) + 100);
    const bad = {
      "cut off in mid-row": file.subarray(0, file.length >> 1),
      "cut off before the last byte": file.subarray(0, -1),
      "cut off before its end, and compressed again": gzipSync(text.subarray(0, text.lastIndexOf('{"@end"'))),
      "with another bit": gzipSync(flipped),
      "overwritten in part": unreadable,
      "nothing of the kind": Buffer.from("hello"),
      empty: Buffer.alloc(0),
    };
    for (const [what, bytes] of Object.entries(bad)) {
      const { code, stderr } = await restoreFrom(bytes, serverOn(database));
      expect({ what, code, stderr }).toEqual({
        what,
        code: 1,
        stderr: expect.stringMatching(/clavis: .*\bbackup\b/),
      });
      expect(rowsIn(await readStored(database.adminUrl)), what).toBe(0);
    }
    expect(await restoreFrom(file, serverOn(database))).toMatchObject({ code: 0 });
    expect(await readStored(database.adminUrl)).toEqual(stored);
  });

  it("that is killed half way leaves a database empty", async () => {
    await using database = await openTestDatabase();
    const env = serverOn(database);
    await using command = startCommand(["restore", "-"], env);
    await using sql = await openSql(database.adminUrl);
    await feedHalf(command, sql);
    command.signal("SIGKILL");
    expect(await command.exited).toMatchObject({ code: null, signal: "SIGKILL" });
    await until("Postgres has noticed", async () => !(await inserts(sql)));
    expect(rowsIn(await readStored(database.adminUrl))).toBe(0);
    expect(await restoreFrom(file, env)).toMatchObject({ code: 0 });
  });

  it("that is stopped half way says so and leaves a database empty", async () => {
    await using database = await openTestDatabase();
    await using command = startCommand(["restore", "-"], serverOn(database));
    await using sql = await openSql(database.adminUrl);
    await feedHalf(command, sql);
    command.signal("SIGTERM");
    expect(await command.exited).toMatchObject({ code: 1, stderr: expect.stringContaining("stopped by SIGTERM") });
    expect(rowsIn(await readStored(database.adminUrl))).toBe(0);
  });

  it("that is killed half way leaves a data folder empty", async () => {
    const env = embeddedIn(join(await aFolder(), "data"));
    await using command = startCommand(["restore", "-"], env);
    command.stdin.write(firstHalf());
    const url = socketUrl(join(env.CLAVIS_DATA_DIR, "run"), { database: "clavis" });
    await until(
      "rows are in the folder",
      async () => {
        await using sql = await openSql(url).catch(() => undefined);
        return sql !== undefined && (await inserts(sql));
      },
      60_000,
    );
    command.signal("SIGKILL");
    await command.exited;
    expect(await restoreFrom(file, env)).toMatchObject({ code: 0 });
    expect(await onEmbedded(env.CLAVIS_DATA_DIR, readStored)).toEqual(stored);
  });

  it("keeps out who would write meanwhile", async () => {
    await using database = await openTestDatabase();
    await using command = startCommand(["restore", "-"], serverOn(database));
    await using sql = await openSql(database.adminUrl);
    await feedHalf(command, sql);
    await expect(fill(`${database.adminUrl}&options=-c%20lock_timeout%3D50ms`, 1)).rejects.toThrow("lock timeout");
    command.stdin.end(file.subarray(firstHalf().length));
    expect(await command.exited).toMatchObject({ code: 0 });
    expect(await readStored(database.adminUrl)).toEqual(stored);
  });

  it("takes a backup of an earlier schema, and gives new columns their defaults", async () => {
    await using database = await openTestDatabase();
    const tenant = { tenant_id: "00000000-0000-7000-8000-000000000001", display_name: "Early", version: 7 };
    const row = {
      ...tenant,
      management_keyspace_id: tenant.tenant_id,
      create_time: "-infinity",
      update_time: "infinity",
    };
    const early = await made([{ table: "tenants", columns: Object.keys(row), rows: [JSON.stringify(row)] }]);
    expect(await restoreFrom(early, serverOn(database))).toMatchObject({ code: 0 });
    await using sql = await openSql(database.adminUrl);
    const rows = await sql.query("select display_name, version, suspended from clavis.tenants");
    expect(rows).toEqual([{ display_name: "Early", version: "7", suspended: false }]);
  });

  it("is refused for a backup of a later schema, before anything is touched", async () => {
    const database = await anEmptyDatabase();
    const batches = [{ table: "tenants", columns: ["tenant_id"], rows: [] }];
    const later = await made(batches, { version: "9.9.9", migrations: ["0001-initial", "9999-later"] });
    const refused = await restoreFrom(later, serverOn(database));
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("made by Clavis 9.9.9, whose schema is later (9999-later)"),
    });
    await using sql = await openSql(database.adminUrl);
    expect(await sql.query("select from pg_namespace where nspname = 'clavis'")).toEqual([]);

    const unknown = await made([{ table: "tenants", columns: ["tenant_id", "colour"], rows: ["{}"] }]);
    const alsoRefused = await restoreFrom(unknown, serverOn(database));
    expect(alsoRefused).toMatchObject({ code: 1, stderr: expect.stringContaining("no place for tenants.colour") });
  });

  it("is refused on a data folder that a service has", async () => {
    const env = embeddedIn(join(await aFolder(), "data"));
    await using folder = openDataFolder(env.CLAVIS_DATA_DIR);
    const refused = await restoreFrom(file, env);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`${folder.path} is in use by process`) });
  });
});

async function restoreFrom(bytes: Uint8Array, env: Readonly<Record<string, string>>): Promise<CommandExit> {
  await using command = startCommand(["restore", "-"], env);
  command.stdin.end(bytes);
  return await command.exited;
}

function firstHalf(): Buffer {
  return file.subarray(0, file.length >> 1);
}

/** Gives the command the first half of the file, and waits until it has brought in the rows of that. */
async function feedHalf(command: ClavisCommand, sql: Sql): Promise<void> {
  command.stdin.write(firstHalf());
  await until("rows are in the database", () => inserts(sql));
}

/** Whether a restore has brought in rows and waits for more. */
async function inserts(sql: Sql): Promise<boolean> {
  const rows = await sql.query(
    `select from pg_stat_activity
     where datname = current_database() and application_name = 'clavis restore'
       and state = 'idle in transaction' and query like 'insert%'`,
  );
  return rows.length > 0;
}

/** A backup that holds what it is told to. */
async function made(batches: readonly RowBatch[], header: Partial<BackupHeader> = {}): Promise<Buffer> {
  const head = { version: "0.0.1", migrations: ["0001-initial"], time: "2026-01-02T03:04:05.678Z", ...header };
  const parts: Buffer[] = [];
  for await (const part of writeBackup(head, iterate(batches))) parts.push(part);
  return gzipSync(Buffer.concat(parts));
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
