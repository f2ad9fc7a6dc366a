import { describe, expect, it } from "vitest";
import { createTable, renderPairs } from "./table.ts";
import { widthOf } from "./text.ts";

const paint = (_tone: string, text: string) => text;
const columns = [{ title: "id" }, { title: "name", elastic: true }, { title: "state" }];
const row = (...texts: string[]) => texts.map((text) => ({ text }));

describe("createTable", () => {
  it("aligns columns, without blanks at the ends of lines", () => {
    const table = createTable({ columns, width: undefined, paint });
    expect(table([row("key_1", "A", "active"), row("key_22", "Longer", "")])).toEqual([
      "id      name    state",
      "key_1   A       active",
      "key_22  Longer",
    ]);
  });

  it("cuts elastic columns to the terminal, and never an id", () => {
    const table = createTable({ columns, width: 40, paint });
    const lines = table([row("key_0123456789", "x".repeat(60), "active")]);
    expect(lines[1]).toBe(`key_0123456789  ${"x".repeat(15)}…  active`);
    expect(lines.map(widthOf).every((width) => width <= 40)).toBe(true);
  });

  it("cuts nothing where there is no terminal", () => {
    const name = "x".repeat(500);
    expect(createTable({ columns, width: undefined, paint })([row("key_1", name, "active")])[1]).toContain(name);
  });

  it("keeps the widths of its first page, and has titles once", () => {
    const table = createTable({ columns, width: undefined, paint });
    table([row("key_1", "Name", "active")]);
    expect(table([row("key_2", "B", "active")])).toEqual(["key_2  B     active"]);
  });

  it("counts the columns of wide characters", () => {
    const table = createTable({ columns, width: undefined, paint });
    expect(table([row("1", "鍵", "active"), row("2", "ab", "active")])).toEqual([
      "id  name  state",
      "1   鍵    active",
      "2   ab    active",
    ]);
  });

  it("lets nobody steer the terminal by what they call a key", () => {
    const table = createTable({ columns, width: undefined, paint });
    const lines = table([row("1", "a\u001b[2Jb\r\nc\u202e", "active")]);
    expect(lines[1]).toContain("a\ufffd[2Jb\ufffd\ufffdc\ufffd");
  });
});

describe("renderPairs", () => {
  it("aligns values after the longest name", () => {
    expect(
      renderPairs(
        [
          ["id", { text: "1" }],
          ["longer", { text: "2" }],
        ],
        paint,
      ),
    ).toEqual(["id      1", "longer  2"]);
  });
});
