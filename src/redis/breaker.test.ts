import { expect, it } from "vitest";
import { createBreaker } from "./breaker.ts";

it("admits all until something fails, and then nothing for a second", () => {
  const breaker = createBreaker();
  expect([breaker.admits(0), breaker.admits(0), breaker.admits(0)]).toEqual([true, true, true]);
  breaker.failed(100);
  expect([100, 600, 1099].map((now) => breaker.admits(now))).toEqual([false, false, false]);
});

it("lets one call at a time try, and all once it has succeeded", () => {
  const breaker = createBreaker();
  breaker.failed(0);
  expect([breaker.admits(1000), breaker.admits(1000), breaker.admits(9999)]).toEqual([true, false, false]);
  breaker.abandoned();
  expect([breaker.admits(1001), breaker.admits(1001)]).toEqual([true, false]);
  breaker.succeeded();
  expect([breaker.admits(1002), breaker.admits(1002)]).toEqual([true, true]);
});

it("rests twice as long with each failure, up to eight seconds", () => {
  const breaker = createBreaker();
  let now = 0;
  const rests = [1000, 2000, 4000, 8000, 8000];
  for (const rest of rests) {
    breaker.failed(now);
    expect(breaker.admits(now + rest - 1)).toBe(false);
    now += rest;
    expect(breaker.admits(now)).toBe(true);
  }
  breaker.succeeded();
  breaker.failed(now);
  expect(breaker.admits(now + 1000)).toBe(true);
});
