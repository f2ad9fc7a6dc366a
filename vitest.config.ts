import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { SummaryReporter } from "./test/harness/summary-reporter.ts";

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Tests mostly wait, so two workers pay even on two cores; more than four would crowd the one Postgres they share.
    maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
    // The last one prints the one line that sums up the run.
    reporters: ["default", new SummaryReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "sdk/**/*.test.ts", "test/tidy.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "**/gen/**"],
          pool: "threads",
        },
      },
      {
        extends: true,
        test: {
          // Whatever starts something: processes, databases, servers. Each file has a process of its own.
          name: "system",
          include: ["test/**/*.test.ts"],
          exclude: ["**/node_modules/**", "test/bench/**", "test/tidy.test.ts"],
          pool: "forks",
          globalSetup: ["test/harness/postgres-setup.ts"],
        },
      },
    ],
  },
});
