import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { DataFolderError, openDataFolder } from "../../src/embedded/data-folder.ts";
import { aPath } from "../harness/embedded.ts";
import { startHolder } from "../harness/holder.ts";

const STARTERS = 20;

it("makes a folder that only its own user can enter", async () => {
  const path = await aPath();
  await using folder = openDataFolder(path);
  expect(folder.path).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

it("refuses a folder that another process holds, and names the folder and the process", async () => {
  const path = await aPath();
  await using holder = await startHolder({ path });
  await holder.hold();
  expect(errorOf(() => openDataFolder(path))).toMatchObject({
    name: "DataFolderError",
    holderPid: holder.pid,
    message: expect.stringMatching(`${path} is in use by process ${holder.pid}`),
  });
});

it("refuses a folder that this process holds already", async () => {
  const path = await aPath();
  await using _first = openDataFolder(path);
  for (let attempt = 0; attempt < 3; attempt++)
    expect(errorOf(() => openDataFolder(path))?.holderPid).toBe(process.pid);
  // The refusals have not loosened the first one's hold.
  await using holder = await startHolder({ path });
  expect(await holder.hold()).toMatchObject({ held: false });
});

it("can be held again as soon as it is let go", async () => {
  const path = await aPath();
  for (let time = 0; time < 3; time++) {
    await using folder = openDataFolder(path);
    expect(folder.path).toBe(path);
  }
});

it("can be held as soon as its holder is killed", async () => {
  const path = await aPath();
  await using holder = await startHolder({ path });
  expect(await holder.hold()).toMatchObject({ held: true });
  await holder.kill();
  await using folder = openDataFolder(path);
  expect(folder.path).toBe(path);
});

it("does not mistake a process that has got a dead holder's id for the holder", async () => {
  const path = await aPath();
  mkdirSync(path);
  writeFileSync(join(path, "lock"), "");
  writeFileSync(join(path, "pid"), `${process.ppid}\n`);
  await using folder = openDataFolder(path);
  expect(folder.path).toBe(path);
});

it.each(["a new folder", "a folder whose holder was killed"])(
  `lets exactly one of ${STARTERS} simultaneous starters have %s`,
  async (which) => {
    const path = await aPath();
    if (which !== "a new folder") {
      await using before = await startHolder({ path });
      await before.hold();
      await before.kill();
    }
    const holders = await Promise.all(Array.from({ length: STARTERS }, () => startHolder({ path })));
    onTestFinished(async () => {
      await Promise.all(holders.map((holder) => holder.kill()));
    });
    const holdings = await Promise.all(holders.map((holder) => holder.hold()));
    expect(holdings.filter(({ held }) => held)).toHaveLength(1);
    const refusals = holdings.filter((holding) => !holding.held);
    expect(refusals).toHaveLength(STARTERS - 1);
    for (const { error } of refusals) expect(error).toMatch("is in use by");
  },
);

it("says so when the folder cannot be made or locked", async () => {
  const path = await aPath();
  writeFileSync(path, "");
  expect(errorOf(() => openDataFolder(path))?.message).toMatch(`${path} cannot be made`);
  const other = await aPath();
  mkdirSync(join(other, "lock"), { recursive: true });
  expect(errorOf(() => openDataFolder(other))?.message).toMatch(`${other} cannot be locked`);
});

it("makes a secret file once, for its own user's eyes alone", async () => {
  await using folder = openDataFolder(await aPath());
  let made = 0;
  const make = () => `secret ${++made}`;
  expect(folder.readOrCreateSecretFile("root-keys", make)).toBe("secret 1");
  expect(folder.readOrCreateSecretFile("root-keys", make)).toBe("secret 1");
  expect(folder.readOrCreateSecretFile("management-key", make)).toBe("secret 2");
  expect(statSync(join(folder.path, "root-keys")).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder.path).filter((name) => name.endsWith(".new"))).toEqual([]);
});

it("never reads a secret that a crash has left half written, nor lets others read the whole one", async () => {
  await using folder = openDataFolder(await aPath());
  const unfinished = join(folder.path, "root-keys.new");
  writeFileSync(unfinished, "sec");
  chmodSync(unfinished, 0o644);
  expect(folder.readOrCreateSecretFile("root-keys", () => "secret")).toBe("secret");
  expect(statSync(join(folder.path, "root-keys")).mode & 0o777).toBe(0o600);
});

function errorOf(action: () => unknown): DataFolderError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof DataFolderError ? error : undefined;
  }
}
