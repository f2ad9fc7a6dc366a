import { describe, expect, it } from "vitest";
import { createUnknownBudget } from "./unknown-budget.ts";

describe("the budget for secrets that nobody knows", () => {
  it("is spent by a thousand at once, each payer's for itself", () => {
    const { budget, chargeTimes } = aBudget();
    chargeTimes("one", 999);
    expect(budget.isSpent("one")).toBe(false);
    chargeTimes("one", 1);
    expect([budget.isSpent("one"), budget.isSpent("other")]).toEqual([true, false]);
  });

  it("comes back with a hundred in a second, and never to more than a thousand", () => {
    const { budget, chargeTimes, passMs } = aBudget();
    chargeTimes("one", 1000);
    passMs(9);
    expect(budget.isSpent("one")).toBe(true);
    passMs(1);
    expect(budget.isSpent("one")).toBe(false);
    passMs(3_600_000);
    chargeTimes("one", 1000);
    expect(budget.isSpent("one")).toBe(true);
  });

  it("leaves no debt: whoever has gone on is heard again as soon as the others", () => {
    const { budget, chargeTimes, passMs } = aBudget();
    chargeTimes("one", 5000);
    passMs(10);
    expect(budget.isSpent("one")).toBe(false);
  });

  it("forgets those who have not been there for longest, once there are too many to remember", () => {
    const { budget, chargeTimes } = aBudget();
    chargeTimes("one", 1000);
    for (let index = 0; index < 9_999; index++) budget.charge(`other ${index}`);
    expect(budget.isSpent("one")).toBe(true);
    // Asked about, it was there last.
    for (let index = 0; index < 10_000; index++) budget.charge(`another ${index}`);
    expect(budget.isSpent("one")).toBe(false);
  });
});

function aBudget() {
  let nowMs = 0;
  const budget = createUnknownBudget(() => nowMs);
  return {
    budget,
    chargeTimes: (payer: string, times: number) => {
      for (let time = 0; time < times; time++) budget.charge(payer);
    },
    passMs: (ms: number) => {
      nowMs += ms;
    },
  };
}
