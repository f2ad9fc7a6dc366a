import { expect, it } from "vitest";
import { openTestDatabase } from "../harness/postgres.ts";
import { testEnvironment } from "../harness/service.ts";
import { runRevocations } from "./revocation-run.ts";

/** `npm run faults` does it for longer, and holds it to figures as well. */
const RUN = { seed: 20_260_101, seconds: 15, calmMs: 1_000, perSecond: 150 };

it("three replicas that fail admit no key after the time that its end was told", { timeout: 120_000 }, async () => {
  await using database = await openTestDatabase();
  const env = testEnvironment(database.url);
  const report = await runRevocations({ ...RUN, databaseUrl: database.url, env });
  expect(report.violations).toEqual([]);
  expect(Object.keys(report.faults).length, "kinds of faults").toBeGreaterThan(1);
  for (const name of ["verifies", "takings", "judged", "replays"] as const)
    expect(report[name], name).toBeGreaterThan(0);
  expect(report.live.valid, "live keys").toBeGreaterThan(0);
});
