import { LEASE_MS, POLL_INTERVAL_MS, ROW_RENEWAL_MS } from "../../src/coherence/bounds.ts";
import type { ClockReading } from "../../src/coherence/clocks.ts";
import { createHorizon } from "../../src/coherence/horizon.ts";
import { renew } from "../../src/coherence/membership.ts";
import { hasSettled, type KeyspaceMode, mayDegrade } from "../../src/coherence/mode.ts";
import { isNews, type PollAnswer, readPoll } from "../../src/coherence/poll.ts";
import type { Position } from "../../src/coherence/position.ts";
import type { RowWatch } from "../../src/coherence/row-watch.ts";
import { leaseGivenEndsMs, mayPublish } from "../../src/coherence/watchers.ts";
import type { Host } from "./host.ts";
import { type Flight, type Life, newLife, type VerifyAnswer, type Waiting, type WatchMessage } from "./life.ts";
import type { CachedRecord, Db } from "./postgres.ts";
import { type Unsettled, unsettledOf } from "./settling.ts";
import { believesHit, believesNew, degradedLeft, givesTrust, leaseLeft } from "./trusting.ts";
import type { World } from "./world.ts";

const POLL_BUDGET_MS = 3000;
const READ_BUDGET_MS = 1500;
const WRITE_BUDGET_MS = 4000;
/** By Postgres's clock, for the walk that believes in it. */
const ROW_EXPIRY_MS = 15_000;

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
    if (leaseLeft(this.world, this.#life, this.host.read()) <= 0) {
      this.#read(keyId, { leased: false, startedMs, respond: answer });
      return;
    }
    const cached = life.l1.get(keyId);
    if (cached !== undefined && believesHit(this.world, this.#life, cached)) {
      this.world.tally.fromCache++;
      answer({ kind: "record", record: cached, applied: life.applied, degraded: false });
      return;
    }
    this.world.redis.find(this.host, keyId, (record) => {
      if (record !== undefined && believesNew(this.world, this.#life, record)) {
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
    const leftMs = leaseLeft(this.world, this.#life, this.host.read());
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
        answer: world.postgres.poll(server, last, (xid) => last === undefined || this.#isNews(last, xid)),
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
      trimmed: world.on("poll-trimmed") ? answer.trimmed : undefined,
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
    if (!life.draining && givesTrust(world, life, trust)) life.trust = trust;
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
        if (record !== undefined && believesNew(this.world, this.#life, record)) {
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
    } else if (believesNew(this.world, this.#life, record)) {
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
    const keyspace: KeyspaceMode | undefined = cached && {
      mode: world.on("strict-refuses") ? cached.keyspace.mode : "available",
      settled: world.on("available-settles") ? cached.keyspace.settled : true,
    };
    const leftMs = degradedLeft(world, trust, host.read());
    if (
      cached !== undefined &&
      keyspace !== undefined &&
      mayDegrade(keyspace) &&
      leftMs > 0 &&
      believesHit(this.world, this.#life, cached)
    ) {
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
