import type { TestProject } from "vitest/node";
import { migrate } from "../../src/postgres/migrate.ts";
import { startTestPostgres } from "./postgres.ts";

/**
 * Vitest's global set-up: one Postgres for all files of a run. `TEST_POSTGRES_VERSION=14` takes the oldest supported.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const version = process.env.TEST_POSTGRES_VERSION === "14" ? 14 : 18;
  const postgres = await startTestPostgres({ version, migrate });
  project.provide("postgres", { version: postgres.version, urlPattern: postgres.urlPattern });
  return async () => await postgres[Symbol.asyncDispose]();
}
