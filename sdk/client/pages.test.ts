import { describe, expect, it } from "vitest";
import { createPages, type Page } from "./pages.ts";

describe("Pages", () => {
  it("gives every item of every page, empty pages between included", async () => {
    const { list, asked } = aList({ "": page([1, 2], "b"), b: page([], "c"), c: page([3], "") });
    expect(await all(list)).toEqual([1, 2, 3]);
    expect(asked).toEqual(["", "b", "c"]);
  });

  it("asks for nothing before it is read, nor beyond what is read", async () => {
    const { list, asked } = aList({ "": page([1, 2], "b") });
    expect(asked).toEqual([]);
    for await (const item of list) {
      if (item === 2) break;
    }
    expect(asked).toEqual([""]);
  });

  it("goes page by page, from a token if one is given", async () => {
    const { list } = aList({ b: page([2], "c"), c: page([3], "") }, "b");
    expect(await all(list.pages())).toEqual([page([2], "c"), page([3], "")]);
    expect(await list.page()).toEqual(page([2], "c"));
  });

  it("can be read again", async () => {
    const { list } = aList({ "": page([1], "") });
    expect([await all(list), await all(list)]).toEqual([[1], [1]]);
  });

  it("does not go round in circles on a page that names itself", async () => {
    const { list } = aList({ "": page([1], "b"), b: page([2], "b") });
    await expect(all(list)).rejects.toMatchObject({ reason: "UNKNOWN" });
  });

  it("passes on what a page fails with", async () => {
    const { list } = aList({ "": page([1], "b") });
    await expect(all(list)).rejects.toThrow("no page b");
  });
});

/** As `Array.fromAsync`, which the library of ES2024 does not have yet. */
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

function page(items: number[], nextPageToken: string): Page<number> {
  return { items, nextPageToken };
}

function aList(pages: Record<string, Page<number>>, firstToken = "") {
  const asked: string[] = [];
  const list = createPages(firstToken, async (token) => {
    asked.push(token);
    const found = pages[token];
    if (found === undefined) throw new Error(`no page ${token}`);
    return found;
  });
  return { list, asked };
}
