import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberedLines } from "./numbered-lines.ts";

async function linesOf(...chunks: Uint8Array[]): Promise<(string | undefined)[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines = await Array.fromAsync(numberedLines(stream()));
  expect(lines.map(({ number }) => number)).toEqual(lines.map((_, index) => index + 1));
  return lines.map(({ text }) => text);
}

describe("numberedLines", () => {
  it("finds the same lines wherever the text is cut, within a character too", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[^\r\n\ufeff]*$/u)),
        fc.integer({ min: 1, max: 5 }),
        async (lines, size) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
          const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
            bytes.subarray(index * size, (index + 1) * size),
          );
          expect(await linesOf(...chunks)).toEqual(lines);
        },
      ),
    );
  });

  it("takes a last line without an end, and lines that end as on Windows", async () => {
    expect(await linesOf(Buffer.from("a\r\nb"))).toEqual(["a", "b"]);
  });

  it("holds no line of any length, and finds the one after it", async () => {
    const chunk = Buffer.alloc(100_000, "x");
    expect(await linesOf(chunk, chunk, chunk, Buffer.from("\nok\n"))).toEqual([undefined, "ok"]);
  });
});
