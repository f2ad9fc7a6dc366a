import { randomInt } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openTestDatabase } from "../harness/postgres.ts";
import { testEnvironment } from "../harness/service.ts";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { type KillReport, runKills } from "./kill-run.ts";
import { createEmbedded, createServed } from "./killable.ts";

/** `npm run faults` does it for longer. */
const KILLS = 3;

describe("a service killed at random under creates, rotations and revocations, and started again", {
  timeout: 120_000,
}, () => {
  const seed = randomInt(2 ** 31);

  it(`keeps what it acknowledged and half of nothing, on a Postgres that lives on (seed ${seed})`, async () => {
    await using database = await openTestDatabase();
    await using service = createServed(testEnvironment(database.url), database.adminUrl);
    expectWork(await runKills({ ...service, seed, kills: KILLS }));
  });

  it(`keeps what it acknowledged and half of nothing, with its own Postgres (seed ${seed})`, async () => {
    await using folder = await openTemporaryFolder();
    await using service = createEmbedded(folder.path);
    expectWork(await runKills({ ...service, seed, kills: KILLS }));
  });
});

/** That it killed a service that was at work. */
function expectWork(report: KillReport): void {
  expect(report.kills).toBe(KILLS);
  for (const name of ["acknowledged", "unknown", "keys", "rotations", "revocations", "verdicts"] as const) {
    expect(report[name], name).toBeGreaterThan(0);
  }
  expect(report.events).toBeGreaterThanOrEqual(report.keys + report.rotations + report.revocations);
}
