import { describe, expect, it } from "vitest";
import { guardClock } from "./guarded-clock.ts";
import { createLog } from "./log.ts";

const log = createLog("silent");

describe("a guarded clock", () => {
  it.each([
    ["leaves what is tolerated", 250, 0, true],
    ["corrects what is off", 251, 251, true],
    ["corrects it the other way too", -2000, -2000, true],
    ["goes by neither where they are too far apart", 2001, 0, false],
  ])("%s", (_, aheadMs, correctionMs, sound) => {
    const guarded = guardClock(() => 1000, log);
    guarded.compare(aheadMs);
    expect([guarded.clock(), guarded.sound]).toEqual([1000 + correctionMs, sound]);
  });

  it("goes back to the machine's as soon as that agrees", () => {
    const guarded = guardClock(() => 1000, log);
    guarded.compare(10_000);
    guarded.compare(1000);
    expect([guarded.clock(), guarded.sound]).toEqual([2000, true]);
    guarded.compare(0);
    expect(guarded.clock()).toBe(1000);
  });
});
