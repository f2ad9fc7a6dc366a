import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import type { Bulletin } from "../../src/coherence/bulletin.ts";
import type { Position } from "../../src/coherence/position.ts";
import { A_TIMELINE } from "../harness/a-reading.ts";
import { until } from "../harness/until.ts";

/**
 * Holds a bulletin to its contract, while nothing is wrong. `open` gives those of three replicas, the same ones each time. As any
 * single word may be lost, each is said until it is heard.
 */
export function describeBulletin(open: () => readonly Bulletin[]): void {
  it("tells everybody what somebody announces, also after a flood of it", async () => {
    const heard = open().map((bulletin) => {
      const count = { announced: 0, published: 0 };
      bulletin.onAnnounced(() => {
        count.announced += 1;
      });
      bulletin.onPublished(() => {
        count.published += 1;
      });
      return count;
    });
    expect(heard).toHaveLength(3);
    for (const speaker of open()) {
      const before = heard.map(({ announced }) => announced);
      await until("all have heard the flood", () => {
        for (let time = 0; time < 100; time++) speaker.announce();
        return heard.every(({ announced }, index) => announced > (before[index] ?? 0));
      });
    }
    for (const speaker of open()) {
      const before = heard.map(({ published }) => published);
      await until("all have heard of the position", () => {
        speaker.publish(randomUUID(), position(1n));
        return heard.every(({ published }, index) => published > (before[index] ?? 0));
      });
    }
  });

  it("gives the last position that each member has published, and none of who has not", async () => {
    const [one, other] = open();
    const [first, second, silent] = [randomUUID(), randomUUID(), randomUUID()];
    const told = await until("all has come", async () => {
      one?.publish(first, position(1n));
      one?.publish(second, position(2n, [1n]));
      one?.publish(first, position(3n));
      const positions = await other?.published([first, second, silent]);
      return positions?.size === 2 && positions.get(first)?.snapshot.xmax === 3n && positions;
    });
    expect(told).toEqual(
      new Map([
        [first, position(3n)],
        [second, position(2n, [1n])],
      ]),
    );
    expect(await other?.published([])).toEqual(new Map());
  });
}

function position(xmax: bigint, xip: readonly bigint[] = []): Position {
  return { timeline: A_TIMELINE, snapshot: { xmin: xip[0] ?? xmax, xmax, xip } };
}
