import type { Effects } from "../changes/effect.ts";
import type { Log } from "../log.ts";
import { type Clock, MINUTE_MS, SECOND_MS } from "../time.ts";
import { POLL_INTERVAL_MS } from "./bounds.ts";
import type { Bulletin } from "./bulletin.ts";
import type { ClockReading } from "./clocks.ts";
import type { CoherenceStore, Poll } from "./coherence-store.ts";
import { counts } from "./early-return.ts";
import type { EntityChange } from "./floors.ts";
import { createHorizon, type Horizon, type ReadRecord } from "./horizon.ts";
import type { Trust } from "./lease.ts";
import { joinMembers } from "./member.ts";
import { createPendingEffects, type Manner } from "./pending-effects.ts";
import type { PollAnswer } from "./poll.ts";
import { hasSeenAll, type Position, type Timeline } from "./position.ts";
import { createRepeater } from "./repeater.ts";
import { createRowWatch } from "./row-watch.ts";
import type { Rules } from "./rules.ts";
import { createSettling } from "./settling.ts";
import type { Snapshot } from "./snapshot.ts";

/** This process among the replicas: what its caches may believe, and when what it takes away is gone everywhere. */
export interface Replica extends AsyncDisposable {
  /** Whether what is cached may answer. */
  leased(): boolean;
  /** Whether what is cached may stand in, flagged, for a Postgres that does not answer. */
  mayStandIn(): boolean;
  /** The history that caches are of; undefined until the first good poll. */
  readonly timeline: Timeline | undefined;
  /** Whether the last poll was answered. */
  readonly connected: boolean;
  /** Grows whenever something that was believed may have to be doubted. */
  readonly epoch: number;
  /** Whether a reading may be kept, or answer if it is kept. The answer stays the same while `epoch` does. */
  believes(record: ReadRecord): boolean;
  readonly effects: Effects;
  /** Lets nobody wait for effects any longer: this process is about to end. */
  hurry(): void;
  /** Its rows among the members. */
  readonly memberIds: readonly string[];
}

export interface ReplicaEvents {
  /** Nothing that is cached can be believed any more. */
  onAnew(): void;
  onChanges(changes: readonly EntityChange[]): void;
  /** Something was committed, changes of what is cached or not. */
  onNews(): void;
  /** How far Postgres's wall clock is ahead of this process's, at least; negative if it is behind. */
  onClock(aheadMs: number): void;
  onPolled(ok: boolean): void;
  onTaken(manner: Manner, waitedMs: number): void;
}

interface Parts {
  readonly store: CoherenceStore;
  readonly bulletin: Bulletin;
  readonly clock: Clock;
  readonly clocks: () => ClockReading;
  readonly rules: Rules;
  readonly log: Log;
  readonly events: ReplicaEvents;
  /** How long to leave it to the bulletin to tell what was applied, before it is written into Postgres as well. */
  readonly bulletinMs: number;
}

/** While somebody waits for a change to take effect. */
const EAGER_POLL_MS = 10;

/** The horizon follows that far behind, longer than anything is cached; floors are kept for as long. */
const HORIZON_LAG_MS = 15 * MINUTE_MS;
const MARK_INTERVAL_MS = 5 * SECOND_MS;

/** With more floors than that the horizon moves on earlier: caches forget what would have needed them. */
const FLOORS_MAX = 100_000;

const TRIM_INTERVAL_MS = MINUTE_MS;

/** A poll that was applied. */
interface Applied {
  readonly poll: Poll;
  readonly sentMs: number;
  /** For how long, at least, each member has not renewed its row. */
  readonly unrenewedForMs: ReadonlyMap<string, number>;
}

/** Joins the members and polls the feed from now on. Answers nothing from caches before both have been answered. */
export function startReplica(parts: Parts): Replica {
  const { store, bulletin, clock, clocks, rules, log, events, bulletinMs } = parts;
  let applied: Position | undefined;
  let horizon: Horizon | undefined;
  let trust: Trust | undefined;
  let latest: Applied | undefined;
  let epoch = 0;
  let connected = false;
  let stopped = false;
  /** Where the feed stood at some moments, oldest first, for the horizon to follow. */
  let marks: { readonly snapshot: Snapshot; readonly atMs: number }[] = [];
  /** What the feed may be trimmed by: seen so long ago that whoever has not seen it starts anew anyway. */
  let trimmable: Snapshot | undefined;
  let trimmedMs = clocks().monotonicMs;
  let rowTimer: NodeJS.Timeout | undefined;

  const rows = createRowWatch();
  const settling = createSettling(store);
  const effects = createPendingEffects({
    rules,
    monotonicMs: () => clocks().monotonicMs,
    clock,
    onWaiting() {
      bulletin.announce();
      polls.now();
    },
    onTaken: (_, manner, waitedMs) => events.onTaken(manner, waitedMs),
  });
  const polls = createRepeater(poll, () => (effects.waiting ? EAGER_POLL_MS : POLL_INTERVAL_MS));
  const member = joinMembers({
    store,
    clocks,
    rules,
    applied: () => applied,
    onJoined() {
      // Its next poll is the first that can give a lease.
      polls.now();
      publish();
    },
  });
  bulletin.onAnnounced(() => polls.now());
  bulletin.onPublished(() => void judge());

  async function poll(): Promise<void> {
    const began = clocks();
    try {
      const found = await store.poll(applied?.snapshot);
      if (stopped) return;
      if (found.answer === undefined) {
        await store.beginTimeline();
        polls.now();
        return;
      }
      apply(found, found.answer, began);
    } catch (error) {
      heard(false, error);
    }
  }

  function apply(found: Poll, answer: PollAnswer, began: ClockReading): void {
    const now = clocks();
    const meaning = rules.readPoll(applied, answer);
    if (meaning.kind === "failed") {
      heard(false);
      return;
    }
    const position = { timeline: answer.timeline, snapshot: answer.snapshot };
    if (meaning.kind === "anew") startAnew(position, meaning.because);
    else if (meaning.changes.length > 0) {
      for (const change of meaning.changes) horizon?.raise(change);
      epoch += 1;
      events.onChanges(meaning.changes);
    }
    applied = position;
    trust = rules.trustFrom({ timeline: position.timeline, began }, member.membership) ?? trust;
    heard(true);
    effects.follow(position);
    const read = { sentMs: began.monotonicMs, answeredMs: now.monotonicMs };
    latest = { poll: found, sentMs: read.sentMs, unrenewedForMs: rows.observe(found.members, read) };
    if (found.news || meaning.kind === "anew") {
      events.onNews();
      publish();
    }
    void judge();
    settling.observe(found, now.monotonicMs);
    followWithHorizon(now.monotonicMs);
    dropLapsed(latest);
    compareClocks(found.clock, began.wallMs, now.wallMs);
  }

  function startAnew(position: Position, because: string): void {
    horizon = createHorizon(position);
    marks = [];
    trimmable = undefined;
    epoch += 1;
    events.onAnew();
    if (because === "first") return;
    log.warn({ because }, "the change feed cannot be followed on: starting anew with empty caches");
    trust = undefined;
    member.rejoin();
  }

  function heard(ok: boolean, error?: unknown): void {
    events.onPolled(ok);
    if (connected === ok) return;
    connected = ok;
    if (ok) log.info("the change feed is there");
    else log.warn({ error }, "the change feed does not answer");
  }

  /** Tells the others what has been applied. Caches have let go of it by then. */
  function publish(): void {
    const { membership } = member;
    if (membership === undefined || applied === undefined) return;
    bulletin.publish(membership.id, applied);
    rowTimer ??= setTimeout(publishInRow, bulletinMs);
  }

  function publishInRow(): void {
    rowTimer = undefined;
    const { membership } = member;
    if (membership === undefined || applied === undefined) return;
    // The next renewal tells it otherwise.
    store.publish(membership.id, applied).catch(() => {});
  }

  /** Whether what somebody waits for has been applied by all by now. */
  async function judge(): Promise<void> {
    if (latest === undefined || !effects.waiting) return;
    const { poll: found, sentMs, unrenewedForMs } = latest;
    const timeline = found.answer?.timeline ?? "";
    const others = found.members.filter(({ id }) => id !== member.membership?.id);
    const told =
      others.length === 0 ? new Map<string, Position>() : await bulletin.published(others.map(({ id }) => id));
    const members = found.members.map(({ id, applied: inRow }) => ({
      id,
      unrenewedForMs: unrenewedForMs.get(id) ?? 0,
      published: id === member.membership?.id ? applied : furthest(timeline, [inRow, told.get(id)]),
    }));
    effects.judge({ timeline, settled: found.settled, members }, sentMs);
  }

  function followWithHorizon(nowMs: number): void {
    if (applied === undefined || horizon === undefined) return;
    if (nowMs - (marks.at(-1)?.atMs ?? 0) >= MARK_INTERVAL_MS) marks.push({ snapshot: applied.snapshot, atMs: nowMs });
    const old = marks.findLast(({ atMs }) => nowMs - atMs >= HORIZON_LAG_MS);
    if (old !== undefined) trimmable = old.snapshot;
    const tooMany = horizon.floors.size > FLOORS_MAX;
    const target = tooMany ? (marks[marks.length >> 1]?.snapshot ?? applied.snapshot) : old?.snapshot;
    if (target !== undefined) moveHorizon(target);
    if (horizon.floors.size > FLOORS_MAX) moveHorizon(applied.snapshot);
    if (nowMs - trimmedMs >= TRIM_INTERVAL_MS) {
      trimmedMs = nowMs;
      void trim();
    }
  }

  function moveHorizon(snapshot: Snapshot): void {
    horizon?.moveTo(snapshot);
    const index = marks.findIndex((mark) => mark.snapshot === snapshot);
    // It never goes back: what older marks do not see has no floors any more.
    marks = index === -1 ? [] : marks.slice(index + 1);
    epoch += 1;
  }

  async function trim(): Promise<void> {
    try {
      while (trimmable !== undefined && !stopped && (await store.trim(trimmable)));
    } catch (error) {
      log.warn({ error }, "the change feed is not trimmed for now");
    }
  }

  /** Rows that count for nobody any more. */
  function dropLapsed({ poll: { members }, unrenewedForMs }: Applied): void {
    const lapsed = members.filter(({ id }) => !counts({ unrenewedForMs: unrenewedForMs.get(id) ?? 0 }, "available"));
    if (lapsed.length > 0) store.leave(lapsed.map(({ id }) => id)).catch(() => {});
  }

  /** Postgres read its clock between the two moments. */
  function compareClocks(theirs: number, sentMs: number, answeredMs: number): void {
    if (theirs > answeredMs) events.onClock(theirs - answeredMs);
    else events.onClock(Math.min(0, theirs - sentMs));
  }

  return {
    leased: () => rules.leaseLeftMs(trust, member.membership, clocks()) > 0,
    mayStandIn: () => rules.degradedLeftMs(trust, clocks()) > 0,
    get timeline() {
      return applied?.timeline;
    },
    get connected() {
      return connected;
    },
    get epoch() {
      return epoch;
    },
    believes: (record) => horizon !== undefined && rules.believes(horizon, record),
    effects,
    hurry: () => effects.giveUp(),
    get memberIds() {
      return member.ids;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      // From here on nobody has to wait for this replica, so its row may go.
      trust = undefined;
      effects.giveUp();
      await polls.stop();
      clearTimeout(rowTimer);
      await member.leave();
    },
  };
}

/** What is told of another timeline counts for nothing. */
function furthest(timeline: Timeline, told: readonly (Position | undefined)[]): Position | undefined {
  return told
    .filter((position) => position?.timeline === timeline)
    .reduce(
      (one, other) => (one === undefined || (other !== undefined && hasSeenAll(other, one)) ? other : one),
      undefined,
    );
}
