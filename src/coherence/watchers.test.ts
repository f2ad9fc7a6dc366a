import { describe, expect, it } from "vitest";
import { grantedLeftMs, leaseGivenEndsMs, mayPublish } from "./watchers.ts";

describe("mayPublish", () => {
  const behind = { acknowledged: 4, leaseEndsMs: leaseGivenEndsMs(1000, 600) };

  it("waits for each watcher to acknowledge, or for its lease to end on every clock", () => {
    expect(mayPublish(5, [{ ...behind, acknowledged: 5 }], 1100)).toBe(true);
    expect(mayPublish(5, [{ ...behind, acknowledged: 5 }, behind], 1100)).toBe(false);
    expect(mayPublish(5, [behind], 1600)).toBe(false);
    expect(mayPublish(5, [behind], 1630)).toBe(true);
    expect(mayPublish(5, [], 0)).toBe(true);
  });
});

describe("grantedLeftMs", () => {
  it("counts from when the SDK asked, by the faster of its clocks", () => {
    const lease = { asked: { monotonicMs: 0, wallMs: 0 }, spanMs: 800 };
    expect(grantedLeftMs(lease, { monotonicMs: 500, wallMs: 510 })).toBe(290);
    expect(grantedLeftMs(lease, { monotonicMs: 800, wallMs: 790 })).toBe(0);
    expect(grantedLeftMs(lease, { monotonicMs: 100, wallMs: 200 })).toBe(0);
    expect(grantedLeftMs(undefined, { monotonicMs: 0, wallMs: 0 })).toBe(0);
  });
});
