import { LEASE_MS, POLL_INTERVAL_MS, ROW_MS, ROW_RENEWAL_MS } from "../../src/coherence/bounds.ts";
import { type ClockReading, elapsedAtMostMs } from "../../src/coherence/clocks.ts";
import { createHorizon, type Horizon } from "../../src/coherence/horizon.ts";
import { degradedLeftMs, leaseLeftMs, type Trust, trustFrom } from "../../src/coherence/lease.ts";
import { type Membership, renew } from "../../src/coherence/membership.ts";
import { hasSettled, type RevocationMode } from "../../src/coherence/mode.ts";
import { isNews, type PollAnswer, readPoll } from "../../src/coherence/poll.ts";
import type { Position } from "../../src/coherence/position.ts";
import { createRowWatch, type RowWatch } from "../../src/coherence/row-watch.ts";
import { seesAll } from "../../src/coherence/snapshot.ts";
import { leaseGivenEndsMs, mayPublish } from "../../src/coherence/watchers.ts";
import type { Guard } from "./guards.ts";
import type { Host } from "./host.ts";
import type { CachedRecord, Db } from "./postgres.ts";
import type { World } from "./world.ts";

const POLL_BUDGET_MS = 3000;
const READ_BUDGET_MS = 1500;
const WRITE_BUDGET_MS = 4000;
/** By Postgres's clock, for the walk that believes in it. */
const ROW_EXPIRY_MS = 15_000;

/** What a replica answers a Verify with. */
export type VerifyAnswer =
  | {
      readonly kind: "record";
      readonly record: CachedRecord;
      readonly applied: Position | undefined;
      readonly degraded: boolean;
    }
  | { readonly kind: "unavailable" };

export type WatchMessage =
  | { readonly kind: "opened"; readonly position: Position }
  | {
      readonly kind: "changes";
      readonly message: number;
      readonly position: Position;
      readonly changes: PollAnswer["changes"];
    }
  | { readonly kind: "granted"; readonly ask: number; readonly spanMs: number }
  | { readonly kind: "ended" };

interface SimWatcher {
  acknowledged: number;
  leaseEndsMs: number;
  open: boolean;
  readonly send: (message: WatchMessage) => void;
}

interface Flight {
  readonly waiting: Waiting[];
}

interface Waiting {
  readonly leased: boolean;
  readonly startedMs: number;
  readonly respond: (answer: VerifyAnswer) => void;
}

/** One life of a replica's process. */
interface Life {
  memberId: string | undefined;
  membership: Membership | undefined;
  horizon: Horizon | undefined;
  applied: Position | undefined;
  trust: Trust | undefined;
  readonly l1: Map<string, CachedRecord>;
  readonly flights: Map<string, Flight>;
  readonly watchers: Map<number, SimWatcher>;
  /** How many messages with changes were sent to watchers. */
  messages: number;
  unpublished: { position: Position; message: number }[];
  published: Position | undefined;
  /** What was applied, for moving the horizon. */
  history: Position[];
  readonly rows: RowWatch;
  readonly knownSinceMs: Map<string, number>;
  polling: boolean;
  pollAgain: boolean;
  joining: boolean;
  draining: boolean;
}

/** A replica: its cache, its poll loop, its membership, its watchers. Decides by `src/coherence` alone. */
export class Replica {
  readonly host: Host;
  readonly world: World;
  #life: Life = newLife();

  constructor(host: Host, world: World) {
    this.host = host;
    this.world = world;
  }

  get name(): string {
    return this.host.name;
  }

  get rows(): RowWatch {
    return this.#life.rows;
  }

  get serving(): boolean {
    return !this.host.dead && !this.#life.draining;
  }

  start(): void {
    this.#life = newLife();
    this.#join();
    this.#poll();
  }

  /** As a hint does. */
  pollNow(): void {
    if (this.#life.polling) this.#life.pollAgain = true;
    else this.#poll();
  }

  /** Rule 5 and 4: what a Verify that arrives now is answered with. */
  verify(keyId: string, respond: (answer: VerifyAnswer) => void): void {
    const life = this.#life;
    const startedMs = this.world.events.nowMs;
    this.world.tally.verifies++;
    const answer = (given: VerifyAnswer): void => {
      if (given.kind === "unavailable") this.world.tally.unavailable++;
      else if (given.record.allows) this.world.checker.admit(this.name, startedMs, given.record);
      respond(given);
    };
    if (this.#leaseLeftMs() <= 0) {
      this.#read(keyId, { leased: false, startedMs, respond: answer });
      return;
    }
    const cached = life.l1.get(keyId);
    if (cached !== undefined && this.#believesHit(cached)) {
      this.world.tally.fromCache++;
      answer({ kind: "record", record: cached, applied: life.applied, degraded: false });
      return;
    }
    this.world.redis.find(this.host, keyId, (record) => {
      if (record !== undefined && this.#believesNew(record)) {
        this.#keep(record);
        answer({ kind: "record", record, applied: life.applied, degraded: false });
      } else {
        this.#read(keyId, { leased: true, startedMs, respond: answer });
      }
    });
  }

  /** Stops, leaving nothing behind that anyone would have to wait for. */
  drain(gone: () => void): void {
    const life = this.#life;
    if (life.draining) return;
    life.draining = true;
    life.trust = undefined;
    for (const watcher of life.watchers.values()) {
      watcher.send({ kind: "ended" });
      watcher.open = false;
    }
    const leave = (): void => {
      const lastMs = Math.max(0, ...Array.from(life.watchers.values(), ({ leaseEndsMs }) => leaseEndsMs));
      const leftMs = this.world.on("row-outlives-leases") ? lastMs - this.host.monotonicMs : 0;
      if (leftMs > 0) {
        this.host.after(leftMs, leave);
        return;
      }
      const { memberId } = life;
      if (memberId !== undefined) this.#deleteRow(memberId);
      this.host.after(200, gone);
    };
    leave();
  }

  get memberId(): string | undefined {
    return this.#life.memberId;
  }

  /** Forgets what a bounded cache may forget at any time. */
  evict(): void {
    this.#life.l1.clear();
  }

  /** Moves the horizon to something that was applied, and drops floors. */
  prune(): void {
    const { horizon, history } = this.#life;
    if (horizon === undefined || history.length === 0) return;
    const position = this.world.prng.pick(history);
    this.#life.history = history.slice(history.indexOf(position) + 1);
    if (this.world.on("horizon-moves")) horizon.moveTo(position.snapshot);
    else horizon.floors.dropSeenBy(position.snapshot);
    this.world.trace(this.name, "drops old floors");
  }

  // Rule 7, the replica's side.

  openWatch(stream: number, send: (message: WatchMessage) => void): void {
    const life = this.#life;
    if (life.applied === undefined || life.draining) {
      send({ kind: "ended" });
      return;
    }
    life.watchers.set(stream, { acknowledged: life.messages, leaseEndsMs: 0, open: true, send });
    send({ kind: "opened", position: life.applied });
  }

  askLease(stream: number, ask: number): void {
    const watcher = this.#life.watchers.get(stream);
    const leftMs = this.#leaseLeftMs();
    if (watcher === undefined || !watcher.open || leftMs <= 0) return;
    const spanMs = this.world.on("grant-within") ? leftMs : LEASE_MS;
    const now = this.host.monotonicMs;
    const ends = this.world.on("watcher-rates") ? leaseGivenEndsMs(now, spanMs) : now + spanMs;
    watcher.leaseEndsMs = Math.max(watcher.leaseEndsMs, ends);
    watcher.send({ kind: "granted", ask, spanMs });
  }

  acknowledge(stream: number, message: number): void {
    const watcher = this.#life.watchers.get(stream);
    if (watcher === undefined) return;
    watcher.acknowledged = Math.max(watcher.acknowledged, message);
    this.#publish();
  }

  closeWatch(stream: number): void {
    const watcher = this.#life.watchers.get(stream);
    if (watcher === undefined) return;
    watcher.open = false;
    if (!this.world.on("lease-outlives-stream")) this.#life.watchers.delete(stream);
  }

  // Rule 5: membership.

  #join(): void {
    const life = this.#life;
    if (life.joining || life.draining) return;
    life.joining = true;
    const id = `${this.name}#${this.world.nextId()}`;
    const sent = this.host.read();
    this.#write(
      (db, clockMs) => db.members.set(id, { renewal: 0, published: undefined, expireMs: clockMs + ROW_EXPIRY_MS }),
      (timeline) => {
        life.joining = false;
        const old = life.memberId;
        if (timeline === undefined) {
          // It may have been made all the same.
          this.host.after(500, () => {
            this.#deleteRow(id);
            this.#join();
          });
          return;
        }
        const answered = this.host.read();
        const renewed = this.world.on("row-from-sent") ? sent : answered;
        life.memberId = id;
        life.membership = { id, timeline, joined: answered, renewed };
        life.published = undefined;
        this.world.trace(this.name, `joined as ${id} on ${timeline}`);
        if (old !== undefined) this.#deleteRow(old);
        this.#publish();
        this.pollNow();
        this.#renewLater(id, ROW_RENEWAL_MS);
      },
    );
    // Until the row is there, the replica may poll, but none of its polls gives a lease.
    if (!this.world.on("row-before-poll")) {
      life.membership = { id, timeline: this.world.postgres.timeline, joined: sent, renewed: sent };
    }
  }

  #renewLater(id: string, spanMs: number): void {
    this.host.after(spanMs, () => {
      const life = this.#life;
      if (life.memberId !== id || life.draining) return;
      const sent = this.host.read();
      const { published } = life;
      let found = true;
      this.#write(
        (db, clockMs) => {
          const row = db.members.get(id);
          found = row !== undefined;
          if (row === undefined) return;
          db.members.set(id, {
            renewal: row.renewal + 1,
            published: published ?? row.published,
            expireMs: clockMs + ROW_EXPIRY_MS,
          });
        },
        (timeline) => {
          const { membership } = life;
          if (life.memberId !== id || membership === undefined || membership.id !== id) return;
          if (timeline === undefined) {
            this.#renewLater(id, 1000);
            return;
          }
          if (!found) {
            this.#join();
            return;
          }
          const answered = this.host.read();
          const renewal = { timeline, sent: this.world.on("row-from-sent") ? sent : answered, answered };
          life.membership = this.world.on("late-renewal")
            ? renew(membership, renewal)
            : { ...membership, timeline, renewed: renewal.sent };
          this.#renewLater(id, ROW_RENEWAL_MS);
        },
      );
    });
  }

  #deleteRow(id: string): void {
    this.#write(
      (db) => db.members.delete(id),
      (timeline) => {
        if (timeline === undefined) this.host.after(1000, () => this.#deleteRow(id));
      },
    );
  }

  // Rule 3: polls.

  #poll(): void {
    const life = this.#life;
    if (life.polling || life.draining) return;
    life.polling = true;
    const { world, host } = this;
    const began = host.read();
    const last = life.applied;
    world.postgres.send(
      host,
      POLL_BUDGET_MS,
      (server) => ({
        answer: world.postgres.poll(server, (xid) => last === undefined || this.#isNews(last, xid)),
        members: Array.from(server.db.members, ([id, { renewal }]) => ({ id, renewal })),
        unsettled: unsettledOf(server.db, server.timeline),
      }),
      (polled) => {
        life.polling = false;
        if (polled !== undefined) {
          this.#apply(polled.answer, world.on("lease-from-start") ? began : host.read());
          life.rows.observe(polled.members, { sentMs: began.monotonicMs, answeredMs: host.monotonicMs });
          if (!polled.answer.inRecovery) this.#settle(polled.unsettled);
        }
        const sinceMs = host.monotonicMs - began.monotonicMs;
        const again = life.pollAgain;
        life.pollAgain = false;
        host.after(again ? 0 : Math.max(1, POLL_INTERVAL_MS - sinceMs), () => this.#poll());
      },
    );
  }

  #isNews(last: Position, xid: bigint): boolean {
    return this.world.on("poll-xip") ? isNews(last.snapshot, xid) : xid >= last.snapshot.xmax;
  }

  #apply(answer: PollAnswer, began: ClockReading): void {
    const life = this.#life;
    const { world } = this;
    const last = life.applied;
    const meaning = readPoll(last, {
      ...answer,
      inRecovery: answer.inRecovery && world.on("poll-recovery"),
      timeline: world.on("poll-timeline") ? answer.timeline : (last?.timeline ?? answer.timeline),
      trimmedXid: world.on("poll-trimmed") ? answer.trimmedXid : 0n,
    });
    if (meaning.kind === "failed") return;
    const position = { timeline: answer.timeline, snapshot: answer.snapshot };
    if (meaning.kind === "anew") {
      world.trace(this.name, `starts anew at ${position.timeline}: ${meaning.because}`);
      life.l1.clear();
      life.horizon = createHorizon(position);
      life.history = [];
      life.messages++;
      life.unpublished = [];
      for (const watcher of life.watchers.values()) {
        if (watcher.open) watcher.send({ kind: "ended" });
        watcher.open = false;
      }
      if (meaning.because !== "first") {
        world.tally.anew++;
        life.trust = undefined;
        life.membership = undefined;
        this.#join();
      }
    } else if (meaning.changes.length > 0) {
      for (const change of meaning.changes) {
        life.horizon?.raise(change);
        // What else the entity decides about stays in the cache, and is not believed any more.
        if (world.on("floor-on-hit")) life.l1.delete(change.id);
      }
      life.messages++;
      for (const watcher of life.watchers.values()) {
        if (watcher.open) watcher.send({ kind: "changes", message: life.messages, position, changes: meaning.changes });
      }
    }
    life.applied = position;
    life.history.push(position);
    if (life.history.length > 50) life.history.shift();
    life.unpublished.push({ position, message: life.messages });
    const trust = { timeline: position.timeline, pollBegan: began };
    if (!life.draining && this.#givesTrust(trust)) life.trust = trust;
    this.#publish();
  }

  /** Notes in Postgres what is old enough for others to build on. */
  #settle(unsettled: readonly Unsettled[]): void {
    const life = this.#life;
    const now = this.host.monotonicMs;
    const seen = new Set(unsettled.map(({ name }) => name));
    for (const name of life.knownSinceMs.keys()) if (!seen.has(name)) life.knownSinceMs.delete(name);
    for (const { name, has, settle } of unsettled) {
      const sinceMs = life.knownSinceMs.get(name) ?? now;
      life.knownSinceMs.set(name, sinceMs);
      const strict = hasSettled(now - sinceMs, "strict");
      const available = hasSettled(now - sinceMs, "available");
      if ((strict && !has.strict) || (available && !has.available)) {
        this.#write(
          (db) => settle(db, { strict, available }),
          () => {},
        );
      }
    }
  }

  #publish(): void {
    const life = this.#life;
    const { host, world } = this;
    const ready = life.unpublished.filter(
      ({ message }) => !world.on("publish-waits") || mayPublish(message, life.watchers.values(), host.monotonicMs),
    );
    const last = ready.at(-1);
    if (last === undefined || life.memberId === undefined) return;
    if (last.position !== life.published) world.redis.publish(host, life.memberId, last.position);
    life.published = last.position;
    life.unpublished = life.unpublished.slice(life.unpublished.indexOf(last));
    for (const [stream, { open, leaseEndsMs }] of life.watchers) {
      if (!open && host.monotonicMs >= leaseEndsMs) life.watchers.delete(stream);
    }
  }

  // Rules 4, 5 and 8: what may answer.

  #leaseLeftMs(): number {
    const { trust, membership, draining } = this.#life;
    const { world, host } = this;
    if (draining || trust === undefined) return 0;
    const now = host.read();
    if (!world.on("lease")) return LEASE_MS;
    const sound = ["lease-within-row", "lease-clocks", "row-clocks", "clocks-finely"] as const;
    if (sound.every((guard) => world.on(guard))) return leaseLeftMs(trust, membership, now);
    const since = (from: ClockReading, guard: Guard): number => this.#elapsedMs(from, now, guard);
    const leaseMs = LEASE_MS - since(trust.pollBegan, "lease-clocks");
    if (!world.on("lease-within-row")) return leaseMs;
    if (membership === undefined || !this.#givesTrust(trust)) return 0;
    return Math.min(leaseMs, ROW_MS - since(membership.renewed, "row-clocks"));
  }

  #givesTrust({ timeline, pollBegan }: Trust): boolean {
    const { world } = this;
    const { membership } = this.#life;
    if (!world.on("lease-within-row") || !world.on("degraded-needs-row")) return true;
    if (world.on("row-clocks") && world.on("lease-clocks") && world.on("clocks-finely")) {
      return trustFrom({ timeline, began: pollBegan }, membership) !== undefined;
    }
    if (membership?.timeline !== timeline) return false;
    const { joined, renewed } = membership;
    const rowMs = this.#elapsedMs(renewed, pollBegan, "row-clocks");
    return joined.monotonicMs <= pollBegan.monotonicMs && rowMs < ROW_MS;
  }

  /** As `elapsedAtMostMs`, unless a guard is left out. */
  #elapsedMs(from: ClockReading, to: ClockReading, guard: Guard): number {
    const { world } = this;
    const monotonicMs = to.monotonicMs - from.monotonicMs;
    if (!world.on(guard) || !world.on("lease-clocks")) return monotonicMs;
    if (world.on("clocks-finely")) return elapsedAtMostMs(from, to);
    return Math.abs(to.wallMs - from.wallMs - monotonicMs) > 1000 ? Number.POSITIVE_INFINITY : monotonicMs;
  }

  #believesNew(record: CachedRecord): boolean {
    const { world } = this;
    const { horizon } = this.#life;
    if (horizon === undefined) return false;
    if (this.#soundHorizon) return horizon.believes(record);
    const known = horizon.position;
    const sameTimeline = !world.on("record-timeline") || record.position.timeline === known.timeline;
    const reaches = !world.on("horizon")
      ? true
      : world.on("horizon-xip")
        ? seesAll(record.position.snapshot, known.snapshot)
        : record.position.snapshot.xmax >= known.snapshot.xmax;
    return sameTimeline && reaches && (!world.on("floor-on-store") || horizon.floors.allow(record.entities));
  }

  #believesHit(record: CachedRecord): boolean {
    const { world } = this;
    const { horizon } = this.#life;
    if (horizon === undefined) return false;
    if (this.#soundHorizon) return horizon.believes(record);
    return !world.on("floor-on-hit") || !world.on("floor-on-store") || horizon.floors.allow(record.entities);
  }

  get #soundHorizon(): boolean {
    const sound = [
      "floor-on-hit",
      "floor-on-store",
      "horizon-on-hit",
      "record-timeline",
      "horizon",
      "horizon-xip",
    ] as const;
    return sound.every((guard) => this.world.on(guard)) && this.world.on("poll-timeline");
  }

  #keep(record: CachedRecord): void {
    this.#life.l1.set(record.keyId, record);
  }

  #read(keyId: string, waiting: Waiting): void {
    const life = this.#life;
    const { world, host } = this;
    const flight = life.flights.get(keyId);
    if (flight !== undefined && (waiting.leased || !world.on("own-read"))) {
      flight.waiting.push(waiting);
      return;
    }
    const own: Flight = { waiting: [waiting] };
    life.flights.set(keyId, own);
    world.postgres.send(
      host,
      READ_BUDGET_MS,
      (server) => (server.inRecovery && world.on("read-recovery") ? undefined : world.postgres.readKey(server, keyId)),
      (record) => {
        if (life.flights.get(keyId) === own) life.flights.delete(keyId);
        if (record !== undefined && this.#believesNew(record)) {
          this.#keep(record);
          world.redis.put(host, keyId, record);
        }
        for (const waiter of own.waiting) this.#answerRead(keyId, record, waiter, waiter === waiting);
      },
    );
  }

  #answerRead(keyId: string, record: CachedRecord | undefined, waiter: Waiting, sentForIt: boolean): void {
    const life = this.#life;
    const { world } = this;
    if (record === undefined) {
      this.#answerDegraded(keyId, waiter);
    } else if (this.#believesNew(record)) {
      waiter.respond({ kind: "record", record, applied: life.applied, degraded: false });
    } else if (sentForIt || !world.on("own-read")) {
      // It was read after this Verify began, and so is right for it, if for nothing else.
      waiter.respond({ kind: "record", record, applied: undefined, degraded: false });
    } else {
      this.#read(keyId, { ...waiter, leased: false });
    }
  }

  #answerDegraded(keyId: string, waiter: Waiting): void {
    const { world, host } = this;
    const { l1, trust, applied } = this.#life;
    const cached = l1.get(keyId);
    const mode = world.on("strict-refuses") ? cached?.mode : "available";
    const now = host.read();
    const at = trust !== undefined && !world.on("degraded-clocks") ? byMonotonic(trust.pollBegan, now) : now;
    const leftMs = world.on("degraded-ends") ? degradedLeftMs(trust, at) : 1;
    if (cached !== undefined && mode === "available" && leftMs > 0 && this.#believesHit(cached)) {
      world.tally.degraded++;
      waiter.respond({ kind: "record", record: cached, applied, degraded: true });
    } else {
      waiter.respond({ kind: "unavailable" });
    }
  }

  /** Runs a statement that writes. `done` gets the timeline that it was written on. */
  #write(write: (db: Db, clockMs: number) => void, done: (timeline: string | undefined) => void): void {
    const { postgres } = this.world;
    if (!this.host.reaches.writes) {
      this.host.after(5, () => done(undefined));
      return;
    }
    postgres.send(
      this.host,
      WRITE_BUDGET_MS,
      (server) => {
        const { clockMs } = server;
        return postgres.write(server, (db) => write(db, clockMs)) === undefined ? undefined : server.timeline;
      },
      done,
    );
  }
}

interface Unsettled {
  readonly name: string;
  readonly has: Record<RevocationMode, boolean>;
  readonly settle: (db: Db, settled: Record<RevocationMode, boolean>) => void;
}

/** What nobody has noted as old enough yet: the timeline, and keyspaces that were made strict. Versions mean something on one timeline only. */
function unsettledOf(db: Db, timeline: string): Unsettled[] {
  const unsettled: Unsettled[] = [];
  const has = db.timelines.get(timeline) ?? { strict: false, available: false };
  if (!has.available) {
    unsettled.push({ name: timeline, has, settle: (at, settled) => at.timelines.set(timeline, settled) });
  }
  for (const [id, { mode, settled, version }] of db.entities) {
    if (mode !== "strict" || settled === true) continue;
    unsettled.push({
      name: `${timeline}/${id}@${version}`,
      has: { strict: true, available: false },
      settle(at) {
        const entity = at.entities.get(id);
        if (entity?.version === version) at.entities.set(id, { ...entity, settled: true });
      },
    });
  }
  return unsettled;
}

/** `now` as a process would see it that counts by its monotonic clock alone. */
function byMonotonic(from: ClockReading, now: ClockReading): ClockReading {
  return { monotonicMs: now.monotonicMs, wallMs: from.wallMs + now.monotonicMs - from.monotonicMs };
}

function newLife(): Life {
  return {
    memberId: undefined,
    membership: undefined,
    horizon: undefined,
    applied: undefined,
    trust: undefined,
    l1: new Map(),
    flights: new Map(),
    watchers: new Map(),
    messages: 0,
    unpublished: [],
    published: undefined,
    history: [],
    rows: createRowWatch(),
    knownSinceMs: new Map(),
    polling: false,
    pollAgain: false,
    joining: false,
    draining: false,
  };
}
