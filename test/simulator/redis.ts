import type { Position } from "../../src/coherence/position.ts";
import { hasSeenAll } from "../../src/coherence/position.ts";
import type { Host } from "./host.ts";
import type { CachedRecord } from "./postgres.ts";
import type { World } from "./world.ts";

const COMMAND_TIMEOUT_MS = 100;

/** Redis: all that it holds may be gone, late or old at any time. */
export class SimRedis {
  readonly #world: World;
  #records = new Map<string, CachedRecord>();
  #published = new Map<string, Position>();
  #kept: { records: Map<string, CachedRecord>; published: Map<string, Position> } | undefined;
  up = true;

  constructor(world: World) {
    this.#world = world;
  }

  find(host: Host, name: string, done: (record: CachedRecord | undefined) => void): void {
    this.#send(host, () => this.#records.get(name), done);
  }

  /** Writes a record if it is newer than what is there. */
  put(host: Host, name: string, record: CachedRecord): void {
    this.#send(host, () => {
      const there = this.#records.get(name);
      const newer = (there?.entities[0]?.version ?? 0) <= (record.entities[0]?.version ?? 0);
      if (newer || !this.#world.on("compare-and-set")) this.#records.set(name, record);
    });
  }

  /** Drops what is there: as a tombstone does, which keeps older versions out as well. */
  bury(host: Host, name: string): void {
    this.#send(host, () => this.#records.delete(name));
  }

  publish(host: Host, memberId: string, position: Position): void {
    this.#send(host, () => {
      const before = this.#published.get(memberId);
      if (before === undefined || !hasSeenAll(before, position)) this.#published.set(memberId, position);
    });
  }

  published(host: Host, done: (published: ReadonlyMap<string, Position> | undefined) => void): void {
    this.#send(host, () => new Map(this.#published), done);
  }

  flush(): void {
    this.#records.clear();
    this.#published.clear();
  }

  /** What a replica of Redis would have that lags. */
  keepCopy(): void {
    this.#kept = { records: new Map(this.#records), published: new Map(this.#published) };
  }

  restoreCopy(): void {
    if (this.#kept === undefined) return;
    this.#records = new Map(this.#kept.records);
    this.#published = new Map(this.#kept.published);
  }

  #send<T>(host: Host, run: () => T | undefined, done: (answer: T | undefined) => void = () => {}): void {
    const { events, latencyMs } = this.#world;
    let answered = false;
    const answer = (given: T | undefined): void => {
      if (answered) return;
      answered = true;
      done(given);
    };
    host.after(COMMAND_TIMEOUT_MS, () => answer(undefined));
    if (!host.reaches.redis) return;
    let value: T | undefined;
    const back = host.binding(() => answer(value));
    // A command that was given up may be run all the same, much later.
    events.after(latencyMs(), () => {
      if (!this.up) return;
      value = run();
      events.after(latencyMs(), back);
    });
  }
}
