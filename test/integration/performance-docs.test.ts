import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { documentsOf } from "../bench/documents.ts";
import { readReport } from "../bench/report.ts";
import { rows } from "../bench/rows.ts";

describe("docs/performance.md", () => {
  const documents = documentsOf(readReport());

  it("and its chart have their figures from the latest run", () => {
    expect(documents.map(({ path }) => basename(path))).toEqual(["performance.md", "performance.svg"]);
    for (const { path, text } of documents) expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("explains each row, and no other", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/performance.md"), "utf8");
    expect([...page.matchAll(/^\| (S\d+) \| [^|]+\|$/gm)].map(([, name]) => name)).toEqual(Object.keys(rows));
  });

  it("says of each row that was measured whether it meets its aim", () => {
    const { rows: measured, notMeasured } = readReport();
    expect(new Set([...measured.map(({ row }) => row), ...notMeasured])).toEqual(new Set(Object.keys(rows)));
    for (const row of measured.filter(({ aim }) => aim !== null)) {
      const reached = "ratio" in row ? row.ratio >= Number(row.aim) : row.value <= Number(row.aim);
      expect(row.met).toBe(reached);
    }
  });
});
