import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { positionAt } from "../../test/harness/readings.ts";
import { joinMembers } from "./member.ts";
import { renew } from "./membership.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("a member", () => {
  it("joins at once, counts from what it knew for certain, and says so", async () => {
    const { member, rows, joined, pass } = aMember({ takesMs: 20 });
    expect([member.membership, member.ids.length]).toEqual([undefined, 1]);
    await pass(20);
    const id = member.membership?.id ?? "";
    expect(member.membership).toMatchObject({
      timeline: "1",
      joined: { monotonicMs: 20 },
      renewed: { monotonicMs: 0 },
    });
    expect([member.ids, [...rows], joined()]).toEqual([[id], [id], 1]);
  });

  it("renews its row every five seconds, with how far it has come", async () => {
    const { member, calls, pass } = aMember();
    await pass(10_000);
    expect(calls.slice(1)).toEqual(Array(2).fill(["renew", member.membership?.id, positionAt("10:10:")]));
    expect(member.membership).toMatchObject({ joined: { monotonicMs: 0 }, renewed: { monotonicMs: 10_000 } });
  });

  it("takes a new row where the old one is gone", async () => {
    const { member, rows, pass, joined } = aMember();
    await pass(0);
    const first = member.membership?.id;
    rows.clear();
    await pass(5_010);
    expect(member.membership?.id).not.toBe(first);
    expect([[...rows], member.ids, joined()]).toEqual([[member.membership?.id], [member.membership?.id], 2]);
  });

  it("takes a new row when it gives up the old one, which goes once the new one is in", async () => {
    const { member, rows, calls, pass } = aMember();
    await pass(0);
    const first = member.membership?.id;
    member.rejoin();
    // Until then both may be there, and the others have to wait for both.
    expect([member.membership, member.ids]).toEqual([undefined, [first]]);
    await pass(10);
    expect(calls.map(([name]) => name)).toEqual(["join", "join", "leave"]);
    expect([...rows]).toEqual([member.membership?.id]);
    expect(rows.has(first ?? "")).toBe(false);
  });

  it("heeds no renewal of a row that it has given up meanwhile", async () => {
    const { member, pass } = aMember({ takesMs: 20 });
    await pass(5_010);
    const first = member.membership?.id;
    member.rejoin();
    await pass(10);
    expect(member.membership).toBeUndefined();
    await pass(100);
    expect(member.membership?.id).not.toBe(first);
  });

  it("tries again soon while Postgres does not answer, and cleans up after what may have come through", async () => {
    const { member, rows, postgres, pass } = aMember({ answers: false });
    await pass(1_100);
    expect([member.membership, member.ids.length, rows.size]).toEqual([undefined, 3, 3]);
    postgres.answers = true;
    await pass(500);
    expect([...rows]).toEqual([member.membership?.id]);
    expect(member.ids).toEqual([member.membership?.id]);
  });

  it("is none on a history that nobody has begun", async () => {
    const { member, postgres, joined, pass } = aMember({ timeline: "" });
    await pass(100);
    expect([member.membership, joined()]).toEqual([undefined, 0]);
    postgres.timeline = "1";
    await pass(500);
    expect([member.membership?.timeline, joined()]).toEqual(["1", 1]);
  });

  it("leaves nothing behind, and nobody waits for it where Postgres is away", async () => {
    const { member, rows, postgres, pass } = aMember();
    await pass(0);
    await member.leave();
    expect([rows.size, vi.getTimerCount()]).toEqual([0, 0]);
    postgres.answers = false;
    await member.leave();
  });
});

/** A member over rows that are simply a set. What fails has got through all the same: that is the harder case. */
function aMember({ takesMs = 0, timeline = "1", answers = true } = {}) {
  const beganMs = performance.now();
  const rows = new Set<string>();
  const calls: unknown[][] = [];
  const postgres = { answers, timeline };
  let joined = 0;

  async function answer<T>(value: T): Promise<T> {
    if (takesMs > 0) await new Promise((resolve) => setTimeout(resolve, takesMs));
    if (!postgres.answers) throw new Error("gone");
    return value;
  }

  const member = joinMembers({
    store: {
      join(id) {
        calls.push(["join", id]);
        rows.add(id);
        return answer(postgres.timeline);
      },
      renew(id, applied) {
        calls.push(["renew", id, applied]);
        return answer(rows.has(id) ? postgres.timeline : undefined);
      },
      async leave(ids) {
        calls.push(["leave", ids]);
        if (postgres.answers) for (const id of ids) rows.delete(id);
        await answer(undefined);
      },
    },
    clocks: () => ({ monotonicMs: performance.now() - beganMs, wallMs: performance.now() - beganMs }),
    rules: { renew },
    applied: () => positionAt("10:10:"),
    onJoined: () => {
      joined += 1;
    },
  });
  return { member, rows, calls, postgres, joined: () => joined, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}
