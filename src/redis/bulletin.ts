import type { Bulletin } from "../coherence/bulletin.ts";
import { hasSeenAll, type Position } from "../coherence/position.ts";
import { formatSnapshot, parseSnapshot } from "../coherence/snapshot.ts";
import { deriveKey, type RootKey } from "../root-keys.ts";
import { MINUTE_MS } from "../time.ts";
import { coalesced } from "./coalesced.ts";
import type { RedisConnection } from "./connection.ts";
import { createMac, MAC_BYTES, type Mac } from "./mac.ts";
import { createNames } from "./names.ts";
import { readScript } from "./script.ts";

interface Parts {
  readonly redis: Pick<RedisConnection, "read" | "send" | "subscribe">;
  /** All that the deployment has. While they are exchanged some replicas know but the old one, so each is spoken under. */
  readonly rootKeys: readonly RootKey[];
}

/** How often something is announced or heard at the most. What comes in between is heard at its end. */
const INTERVAL_MS = 5;

/** What was published is in the member's row soon after. */
const POSITION_LIFE_MS = 5 * MINUTE_MS;

/** Characters of the longest one: thousands of transactions in progress, of 20 digits each. One with more is told by the row alone. */
const POSITION_LENGTH_MAX = 50_000;

const publishScript = readScript("publish");

/** Speaks by pub/sub, and leaves positions where they can be read. The speaker hears itself as well. */
export function createRedisBulletin({ redis, rootKeys }: Parts): Bulletin {
  const lanes = rootKeys.map((rootKey) => ({
    names: createNames(rootKey),
    mac: createMac(deriveKey(rootKey, "bulletin")),
  }));
  const listeners = { announced: new Set<() => void>(), published: new Set<() => void>() };
  const hearAnnouncement = coalesced(() => tell(listeners.announced), INTERVAL_MS);
  const hearPosition = coalesced(() => tell(listeners.published), INTERVAL_MS);
  const announcements = new Set(lanes.map(({ names }) => names.announcements));
  redis.subscribe({
    channels: lanes.flatMap(({ names }) => [names.announcements, names.positions]),
    onMessage: (channel) => (announcements.has(channel) ? hearAnnouncement() : hearPosition()),
    onSubscribed() {
      hearAnnouncement();
      hearPosition();
    },
  });

  return {
    announce: coalesced(() => {
      void redis.send(
        lanes.map(({ names: { announcements: channel } }) => ({ name: channel, run: "publish", args: [channel, ""] })),
      );
    }, INTERVAL_MS),

    publish(memberId, position) {
      const text = `${position.timeline} ${formatSnapshot(position.snapshot)}`;
      if (text.length > POSITION_LENGTH_MAX) return;
      void redis.send(
        lanes.map(({ names, mac }) => ({
          name: names.ofMember(memberId),
          run: publishScript,
          args: [sealPosition(mac, memberId, text), names.positions, POSITION_LIFE_MS],
        })),
      );
    },

    async published(memberIds) {
      const told = new Map<string, Position>();
      for (const { memberId, position } of await readPositions(memberIds)) {
        const known = told.get(memberId);
        if (known === undefined || hasSeenAll(position, known)) told.set(memberId, position);
      }
      return told;
    },

    onAnnounced: (listener) => void listeners.announced.add(listener),
    onPublished: (listener) => void listeners.published.add(listener),
  };

  async function readPositions(memberIds: readonly string[]) {
    const asked = lanes.flatMap(({ names, mac }) => memberIds.map((memberId) => ({ memberId, names, mac })));
    const values = await redis.read(asked.map(({ names, memberId }) => names.ofMember(memberId)));
    return asked.flatMap(({ memberId, mac }, index) => {
      const value = values[index];
      const position = value && openPosition(mac, memberId, value);
      return position ? [{ memberId, position }] : [];
    });
  }
}

function tell(listeners: ReadonlySet<() => void>): void {
  for (const listener of listeners) listener();
}

/** With a MAC over the member as well: a position that nobody has come to would let a change pass for known too early. */
function sealPosition(mac: Mac, memberId: string, text: string): string {
  return text + mac.of(`${memberId} ${text}`);
}

function openPosition(mac: Mac, memberId: string, value: Buffer): Position | undefined {
  const end = value.length - MAC_BYTES;
  if (end < 0 || end > POSITION_LENGTH_MAX) return undefined;
  const text = value.toString("latin1", 0, end);
  if (!mac.matches(`${memberId} ${text}`, value.subarray(end))) return undefined;
  const space = text.lastIndexOf(" ");
  return { timeline: text.slice(0, space), snapshot: parseSnapshot(text.slice(space + 1)) };
}
