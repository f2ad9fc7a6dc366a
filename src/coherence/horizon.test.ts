import { describe, expect, it } from "vitest";
import { createHorizon } from "./horizon.ts";
import type { Position } from "./position.ts";
import { parseSnapshot } from "./snapshot.ts";

describe("a horizon", () => {
  it("believes what sees as much as it does", () => {
    const horizon = createHorizon(at("20:20:"));
    expect(horizon.believes({ position: at("20:20:"), entities: [] })).toBe(true);
    expect(horizon.believes({ position: at("21:25:21"), entities: [] })).toBe(true);
  });

  it.each([
    ["less", at("19:19:")],
    ["less under the same xmax", at("15:20:15")],
    ["as much of another timeline", at("20:20:", "2")],
  ])("does not believe what sees %s", (_, position) => {
    expect(createHorizon(at("20:20:")).believes({ position, entities: [] })).toBe(false);
  });

  it("does not believe what is below a floor, in any of its parts", () => {
    const horizon = createHorizon(at("20:20:"));
    horizon.raise({ id: "own_1", version: 4, xid: 22n });
    const record = (version: number) => ({
      position: at("20:20:"),
      entities: [
        { id: "key_1", version: 1 },
        { id: "own_1", version },
      ],
    });
    expect(horizon.believes(record(3))).toBe(false);
    expect(horizon.believes(record(4))).toBe(true);
  });

  it("keeps a floor that an older change comes after", () => {
    const horizon = createHorizon(at("20:20:"));
    horizon.raise({ id: "key_1", version: 4, xid: 22n });
    horizon.raise({ id: "key_1", version: 3, xid: 21n });
    expect(horizon.floors.allow([{ id: "key_1", version: 3 }])).toBe(false);
  });

  it("drops floors only by not believing any more what they spoke against", () => {
    const horizon = createHorizon(at("20:20:"));
    horizon.raise({ id: "key_1", version: 2, xid: 21n });
    horizon.raise({ id: "key_2", version: 2, xid: 23n });
    const old = { position: at("21:21:"), entities: [{ id: "key_1", version: 1 }] };
    expect(horizon.believes(old)).toBe(false);

    horizon.moveTo(parseSnapshot("22:23:22"));

    expect(horizon.floors.size).toBe(1);
    expect(horizon.believes(old)).toBe(false);
    expect(horizon.floors.allow([{ id: "key_2", version: 1 }])).toBe(false);
  });
});

function at(snapshot: string, timeline = "1"): Position {
  return { timeline, snapshot: parseSnapshot(snapshot) };
}
