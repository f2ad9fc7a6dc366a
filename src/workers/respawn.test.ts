import { expect, it } from "vitest";
import { endsInRow, respawnDelayMs } from "./respawn.ts";

const most = () => 1;
const least = () => 0;

it("fills a place at once after the first end, and waits ever longer after those that follow, up to a bound", () => {
  const ends = [1, 2, 3, 4, 5, 6, 7, 8, 100, 10_000];
  expect(ends.map((count) => respawnDelayMs(count, most))).toEqual([
    0, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000,
  ]);
  expect(ends.map((count) => respawnDelayMs(count, least))).toEqual([
    0, 250, 500, 1000, 2000, 4000, 7500, 7500, 7500, 7500,
  ]);
});

it("counts ends in a row until one has served for a minute", () => {
  expect(endsInRow(0, 10)).toBe(1);
  expect(endsInRow(1, 59_999)).toBe(2);
  expect(endsInRow(7, 60_000)).toBe(1);
});
