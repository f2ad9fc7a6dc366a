import type { EntityChange, EntityVersion } from "../../src/coherence/floors.ts";
import type { KeyspaceMode, RevocationMode } from "../../src/coherence/mode.ts";
import type { PollAnswer } from "../../src/coherence/poll.ts";
import type { ChangeId, Position, Timeline } from "../../src/coherence/position.ts";
import { type Snapshot, visible } from "../../src/coherence/snapshot.ts";
import type { Host } from "./host.ts";
import type { World } from "./world.ts";

/** What is stored of a key, owner, role, keyspace or tenant. */
export interface Entity {
  readonly version: number;
  /** Which write it was, of all that ever were on any timeline. For the checker alone. */
  readonly stamp: number;
  /** Whether it lets keys be used: a key that is not revoked, an owner that is not disabled ... */
  readonly allows: boolean;
  /** Of a keyspace. */
  readonly mode?: RevocationMode;
  readonly settled?: boolean;
}

export interface StoredMember {
  readonly renewal: number;
  readonly published: Position | undefined;
  /** By Postgres's own clock, for the walk that believes in it. */
  readonly expireMs: number;
}

export interface Db {
  entities: Map<string, Entity>;
  feed: EntityChange[];
  /** What the feed was last trimmed by, and what it will be trimmed by next. */
  trimmed: Snapshot | undefined;
  noted: Snapshot | undefined;
  /** The largest id that went, for the walk that goes by it. */
  trimmedXid: bigint;
  members: Map<string, StoredMember>;
  timelines: Map<Timeline, Record<RevocationMode, boolean>>;
  /** What each `request_id` did. */
  requests: Map<string, { change: ChangeId; stamp: number; entity: string; mode: RevocationMode }>;
}

/** What a replica reads of a key: joined, in one statement, from all that decides about it. */
export interface CachedRecord {
  readonly keyId: string;
  readonly position: Position;
  readonly entities: readonly EntityVersion[];
  readonly stamps: readonly number[];
  readonly allows: boolean;
  readonly keyspace: KeyspaceMode;
}

/** A server as a statement finds it. */
export interface Server {
  readonly inRecovery: boolean;
  readonly timeline: Timeline;
  readonly snapshot: Snapshot;
  readonly db: Db;
  readonly clockMs: number;
}

export interface OpenTransaction {
  readonly epoch: number;
  readonly timeline: Timeline;
  readonly xid: bigint;
  readonly locks: readonly string[];
  write: ((db: Db) => void) | undefined;
  stamp: number;
}

interface Ended {
  readonly xid: bigint;
  readonly stamp: number;
  readonly write: ((db: Db) => void) | undefined;
}

type WalEntry = Ended & { readonly endedMs: number };

/** A standby that lags by more than this is not promoted. */
const LAG_MAX_MS = 60_000;

/** Postgres, as far as the protocol rests on it: a primary, and a standby that lags behind it and may take its place. */
export class SimPostgres {
  readonly #world: World;
  readonly #initial: Db;
  #db: Db;
  #wal: WalEntry[] = [];
  #timelineNumber = 1;
  #nextXid = 100n;
  #xmax = 100n;
  #open = new Map<bigint, OpenTransaction>();
  #locked = new Map<string, number>();
  /** Grows whenever connections are cut; what was sent before never arrives. */
  #epoch = 0;
  #stamps = 0;
  #standbyBehind = 0;
  up = true;
  /** The primary is gone, the standby not promoted yet, and the network already leads to it. */
  standbyOnly = false;
  readOnly = false;
  frozenUntilMs = 0;
  clockOffsetMs = 0;

  constructor(world: World, initial: Db) {
    this.#world = world;
    this.#initial = initial;
    this.#db = structuredClone(initial);
  }

  get timeline(): Timeline {
    return `timeline-${this.#timelineNumber}`;
  }

  get db(): Db {
    return this.#db;
  }

  /** Sends a statement. `done` gets its answer, or undefined when there is none within the budget: it may have been run all the same. */
  send<T>(
    host: Host,
    budgetMs: number,
    run: (server: Server) => T | undefined,
    done: (answer: T | undefined) => void,
  ): void {
    const { events, latencyMs } = this.#world;
    const epoch = this.#epoch;
    let answered = false;
    const answer = (given: T | undefined): void => {
      if (answered) return;
      answered = true;
      done(given);
    };
    host.after(budgetMs, () => answer(undefined));
    if (!host.reaches.postgres) return;
    const { route } = host;
    let value: T | undefined;
    // Bound to the process that asks, which may have ended before the statement is run.
    const back = host.binding(() => {
      if (host.reaches.postgres) answer(value);
    });
    const arrive = (): void => {
      if (epoch !== this.#epoch) return;
      if (events.nowMs < this.frozenUntilMs) {
        events.after(this.frozenUntilMs - events.nowMs, arrive);
        return;
      }
      const server = this.serverOf(route);
      if (server === undefined) return;
      value = run(server);
      events.after(latencyMs(), back);
    };
    events.after(latencyMs(), arrive);
  }

  /** A transaction of one statement. Returns its id, or undefined where nothing can be written. */
  write(server: Server, write: (db: Db) => void): bigint | undefined {
    if (server.inRecovery || this.readOnly) return undefined;
    const xid = this.#nextXid++;
    this.#end({ xid, stamp: 0, write });
    return xid;
  }

  /** Opens a transaction that has taken an id and these locks, or none if one is taken. */
  begin(server: Server, locks: readonly { name: string; shared: boolean }[]): OpenTransaction | undefined {
    if (server.inRecovery || this.readOnly) return undefined;
    const free = locks.every(({ name, shared }) => {
      const holders = this.#locked.get(name) ?? 0;
      return holders === 0 || (shared && holders > 0);
    });
    if (!free) return undefined;
    for (const { name, shared } of locks) {
      this.#locked.set(name, shared ? (this.#locked.get(name) ?? 0) + 1 : -1);
    }
    const xid = this.#nextXid++;
    const transaction: OpenTransaction = {
      epoch: this.#epoch,
      timeline: this.timeline,
      xid,
      locks: locks.map(({ name }) => name),
      write: undefined,
      stamp: 0,
    };
    this.#open.set(xid, transaction);
    return transaction;
  }

  /** Whether it was committed. */
  commit(transaction: OpenTransaction): boolean {
    if (!this.#close(transaction)) return false;
    transaction.stamp = ++this.#stamps;
    this.#end({ xid: transaction.xid, stamp: transaction.stamp, write: transaction.write });
    return true;
  }

  abort(transaction: OpenTransaction): void {
    if (this.#close(transaction)) this.#end({ xid: transaction.xid, stamp: 0, write: undefined });
  }

  /** How many transactions the standby lacks. */
  lagStandby(behind: number): void {
    this.#standbyBehind = behind;
  }

  /** Postgres dies and comes back with all that it acknowledged. */
  crash(): void {
    this.#cutAll();
    for (const transaction of this.#open.values()) this.#end({ xid: transaction.xid, stamp: 0, write: undefined });
    this.#open.clear();
    this.up = false;
  }

  /** The primary is gone for good, and its last `lost` transactions with it. */
  failOver(lost: number): void {
    this.#cutAll();
    this.#open.clear();
    const sinceMs = this.#world.events.nowMs - LAG_MAX_MS;
    const known = this.#wal.findLastIndex(({ endedMs }) => endedMs < sinceMs) + 1;
    const kept = Math.max(known, this.#wal.length - lost);
    const gone = this.#wal.slice(kept);
    this.#wal = this.#wal.slice(0, kept);
    this.#standbyBehind = 0;
    this.#db = this.#replay(kept);
    this.#xmax = this.#wal.reduce((most, { xid }) => (xid >= most ? xid + 1n : most), 100n);
    this.#nextXid = this.#xmax;
    this.#world.checker.lose(gone.map(({ stamp }) => stamp).filter((stamp) => stamp > 0));
    this.up = false;
    this.standbyOnly = true;
  }

  promote(): void {
    this.#cutAll();
    this.#timelineNumber++;
    this.standbyOnly = false;
    this.up = true;
  }

  poll(server: Server, last: Position | undefined, isNews: (xid: bigint) => boolean): PollAnswer {
    const { inRecovery, timeline, snapshot, db } = server;
    return {
      inRecovery,
      timeline,
      snapshot,
      trimmed: this.#world.on("trim-by-snapshot") ? db.trimmed : largestTrimmed(db, last),
      changes: db.feed.filter(({ xid }) => isNews(xid)),
    };
  }

  readKey(server: Server, keyId: string): CachedRecord {
    const { timeline, snapshot, db } = server;
    const ids = this.#world.entitiesOf(keyId);
    const rows = ids.map((id) => db.entities.get(id) as Entity);
    return {
      keyId,
      position: { timeline, snapshot },
      entities: ids.map((id, index) => ({ id, version: rows[index]?.version ?? 0 })),
      stamps: rows.map(({ stamp }) => stamp),
      allows: rows.every(({ allows }) => allows),
      keyspace: keyspaceModeOf(rows.find(({ mode }) => mode !== undefined)),
    };
  }

  /** Forgets the part of the feed that was seen when it was last trimmed. */
  trim(): void {
    const server = this.serverOf("primary");
    if (server === undefined || server.inRecovery) return;
    const { snapshot } = server;
    const bySnapshot = this.#world.on("trim-by-snapshot");
    this.#end({
      xid: this.#nextXid++,
      stamp: 0,
      write(db) {
        const by = db.noted;
        const kept = bySnapshot
          ? db.feed.filter(({ xid }) => by === undefined || !visible(by, xid))
          : db.feed.slice(-2);
        for (const { xid } of db.feed)
          if (xid > db.trimmedXid && !kept.some((row) => row.xid === xid)) db.trimmedXid = xid;
        db.feed = kept;
        db.trimmed = by;
        db.noted = snapshot;
      },
    });
  }

  serverOf(route: Host["route"]): Server | undefined {
    const clockMs = this.#world.events.nowMs + this.clockOffsetMs;
    if (this.standbyOnly || (route === "standby" && this.up)) {
      const known = this.standbyOnly ? this.#wal.length : Math.max(0, this.#wal.length - this.#standbyBehind);
      const ended = new Set(this.#wal.slice(0, known).map(({ xid }) => xid));
      const xmax = this.#wal.slice(0, known).reduce((most, { xid }) => (xid >= most ? xid + 1n : most), 100n);
      const xip: bigint[] = [];
      for (let xid = 100n; xid < xmax; xid++) if (!ended.has(xid)) xip.push(xid);
      const snapshot = { xmin: xip[0] ?? xmax, xmax, xip };
      return { inRecovery: true, timeline: this.timeline, snapshot, db: this.#replay(known), clockMs };
    }
    if (!this.up) return undefined;
    const xip = Array.from(this.#open.keys())
      .filter((xid) => xid < this.#xmax)
      .sort((a, b) => (a < b ? -1 : 1));
    const snapshot = { xmin: xip[0] ?? this.#xmax, xmax: this.#xmax, xip };
    return { inRecovery: false, timeline: this.timeline, snapshot, db: this.#db, clockMs };
  }

  #end(entry: Ended): void {
    this.#wal.push({ ...entry, endedMs: this.#world.events.nowMs });
    entry.write?.(this.#db);
    if (entry.xid >= this.#xmax) this.#xmax = entry.xid + 1n;
  }

  #close(transaction: OpenTransaction): boolean {
    if (transaction.epoch !== this.#epoch || !this.#open.delete(transaction.xid)) return false;
    for (const name of transaction.locks) {
      const holders = this.#locked.get(name) ?? 0;
      this.#locked.set(name, holders > 0 ? holders - 1 : 0);
    }
    return true;
  }

  #cutAll(): void {
    this.#epoch++;
    this.#locked.clear();
  }

  #replay(entries: number): Db {
    const db = structuredClone(this.#initial);
    for (const { write } of this.#wal.slice(0, entries)) write?.(db);
    return db;
  }
}

export function keyspaceModeOf(entity: Entity | undefined): KeyspaceMode {
  return { mode: entity?.mode ?? "available", settled: entity?.settled ?? false };
}

/** What starts those anew, and no others, who have not seen the largest id that went. */
function largestTrimmed({ trimmedXid }: Db, last: Position | undefined): Snapshot | undefined {
  const after = trimmedXid + 1n;
  return last === undefined || visible(last.snapshot, trimmedXid) ? undefined : { xmin: after, xmax: after, xip: [] };
}
