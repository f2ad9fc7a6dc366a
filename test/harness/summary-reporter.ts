import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a run with one line that a person or a program can read: `12 passed, 0 failed`, and `, 3 skipped` where any were.
 *
 * A file that did not load and an error outside of any test count as one failed test each, so that only a green run
 * says `0 failed`.
 */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      let failures = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state] += 1;
        if (state === "failed") failures += 1;
      }
      if (failures === 0 && !module.ok()) count.failed += 1;
    }
    // A test that is still pending was cut off before it could say anything.
    count.failed += count.pending;
    const skipped = count.skipped === 0 ? "" : `, ${count.skipped} skipped`;
    const line = `${count.passed} passed, ${count.failed} failed${skipped}`;
    // Other reporters also write when a run ends; this line comes after theirs.
    process.once("exit", () => process.stdout.write(`\n${line}\n`));
  }
}
