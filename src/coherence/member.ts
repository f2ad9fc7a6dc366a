import { randomUUID } from "node:crypto";
import { SECOND_MS } from "../time.ts";
import { ROW_RENEWAL_MS } from "./bounds.ts";
import type { ClockReading } from "./clocks.ts";
import type { CoherenceStore } from "./coherence-store.ts";
import type { Membership } from "./membership.ts";
import type { Position } from "./position.ts";
import { createRepeater } from "./repeater.ts";
import type { Rules } from "./rules.ts";

/** Keeps this process among the members. */
export interface OwnMember {
  /** Undefined while it has no row that it knows of. */
  readonly membership: Membership | undefined;
  /** All the rows that may be there. */
  readonly ids: readonly string[];
  /** Gives up the row for a new one. The old one goes when the new one is in. */
  rejoin(): void;
  /** Leaves. To be called only when no lease is trusted any more. */
  leave(): Promise<void>;
}

interface Parts {
  readonly store: Pick<CoherenceStore, "join" | "renew" | "leave">;
  readonly clocks: () => ClockReading;
  readonly rules: Pick<Rules, "renew">;
  readonly applied: () => Position | undefined;
  readonly onJoined: () => void;
}

const RETRY_MS = SECOND_MS / 2;

export function joinMembers({ store, clocks, rules, applied, onJoined }: Parts): OwnMember {
  let membership: Membership | undefined;
  let healthy = false;
  /** Rows that nobody renews any more, or that may never have come to be. */
  const stale = new Set<string>();
  const repeater = createRepeater(keepRow, () => (healthy ? ROW_RENEWAL_MS : RETRY_MS));

  async function keepRow(): Promise<void> {
    try {
      healthy = false;
      if (membership === undefined) await join();
      else await renew(membership);
      await dropStale();
      healthy = membership !== undefined;
    } catch {
      // What the change feed has no answer from either is told there.
    }
  }

  async function join(): Promise<void> {
    const id = randomUUID();
    stale.add(id);
    const sent = clocks();
    const timeline = await store.join(id);
    // Nobody has begun this history yet, so nobody can be known on it.
    if (timeline === "") return;
    stale.delete(id);
    membership = { id, timeline, joined: clocks(), renewed: sent };
    onJoined();
  }

  async function renew(old: Membership): Promise<void> {
    const sent = clocks();
    const timeline = await store.renew(old.id, applied());
    // Meanwhile it may have been given up.
    if (membership !== old) return;
    if (timeline === undefined || timeline === "") {
      rejoin();
      return;
    }
    membership = rules.renew(old, { timeline, sent, answered: clocks() });
  }

  async function dropStale(): Promise<void> {
    if (membership === undefined || stale.size === 0) return;
    const ids = [...stale];
    await store.leave(ids);
    for (const id of ids) stale.delete(id);
  }

  function rejoin(): void {
    if (membership !== undefined) stale.add(membership.id);
    membership = undefined;
    repeater.now();
  }

  function ids(): string[] {
    return membership === undefined ? [...stale] : [membership.id, ...stale];
  }

  return {
    get membership() {
      return membership;
    },
    get ids() {
      return ids();
    },
    rejoin,
    async leave() {
      await repeater.stop();
      // Where Postgres is away, the others wait until the row has lapsed.
      await store.leave(ids()).catch(() => {});
    },
  };
}
