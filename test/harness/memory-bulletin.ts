import type { Bulletin } from "../../src/coherence/bulletin.ts";
import type { Position } from "../../src/coherence/position.ts";

/** A board for several replicas in one process: what one says the others hear, and itself, a turn of the event loop later. */
export function createMemoryBoard(): { open(): Bulletin } {
  const positions = new Map<string, Position>();
  const announced: (() => void)[] = [];
  const published: (() => void)[] = [];
  const tell = (listeners: readonly (() => void)[]) => {
    setImmediate(() => {
      for (const listener of listeners) listener();
    });
  };
  return {
    open: () => ({
      announce: () => tell(announced),
      publish(memberId, position) {
        positions.set(memberId, position);
        tell(published);
      },
      async published(memberIds) {
        const told = memberIds.map((memberId) => [memberId, positions.get(memberId)] as const);
        return new Map(told.filter((one): one is [string, Position] => one[1] !== undefined));
      },
      onAnnounced: (listener) => void announced.push(listener),
      onPublished: (listener) => void published.push(listener),
    }),
  };
}
