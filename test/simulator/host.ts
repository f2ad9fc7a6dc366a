import type { ClockReading } from "../../src/coherence/clocks.ts";
import type { Events } from "./events.ts";

/** A process on a machine of its own, with clocks that are wrong in rate and may jump, which may be paused, suspended or killed. */
export class Host {
  readonly name: string;
  /** How fast its clocks run. */
  readonly rate: number;
  readonly #events: Events;
  #wallOffsetMs: number;
  #sleptMs = 0;
  #asleepSinceMs: number | undefined;
  #stopped = false;
  #dead = false;
  #life = 0;
  #backlog: (() => void)[] = [];
  #stops = 0;
  /** Whether it reaches Postgres, can write there, and reaches Redis. */
  reaches = { postgres: true, writes: true, redis: true };
  /** Where the network leads who asks for Postgres. */
  route: "primary" | "standby" = "primary";

  constructor(name: string, events: Events, rate: number, wallOffsetMs: number) {
    this.name = name;
    this.rate = rate;
    this.#events = events;
    this.#wallOffsetMs = wallOffsetMs;
  }

  get running(): boolean {
    return !this.#dead && !this.#stopped;
  }

  /** How often it was stopped. */
  get stops(): number {
    return this.#stops;
  }

  get dead(): boolean {
    return this.#dead;
  }

  read(): ClockReading {
    const now = this.#events.nowMs;
    const asleepMs = this.#asleepSinceMs === undefined ? 0 : now - this.#asleepSinceMs;
    return {
      monotonicMs: this.rate * (now - this.#sleptMs - asleepMs),
      wallMs: this.rate * now + this.#wallOffsetMs,
    };
  }

  get monotonicMs(): number {
    return this.read().monotonicMs;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Runs something in this process when it next can; never, if this life of it has ended by then. */
  binding(run: () => void): () => void {
    const life = this.#life;
    return () => {
      if (this.#dead || life !== this.#life) return;
      if (this.#stopped) this.#backlog.push(run);
      else run();
    };
  }

  /** Runs something once its own monotonic clock has gone on by `spanMs`. */
  after(spanMs: number, run: () => void): void {
    const dueMs = this.monotonicMs + spanMs;
    const wait = (): void => {
      const leftMs = dueMs - this.monotonicMs;
      // A little more than what is left: sums of fractions would let the clock stop just short of the time.
      if (leftMs > 0) this.#events.after(leftMs / this.rate + 1e-6, this.binding(wait));
      else run();
    };
    this.#events.after(spanMs / this.rate + 1e-6, this.binding(wait));
  }

  /** As by SIGSTOP, or with `asleep` as a machine that sleeps: then its monotonic clock stands still. */
  stop(asleep: boolean): void {
    if (!this.running) return;
    this.#stopped = true;
    this.#stops++;
    if (asleep) this.#asleepSinceMs = this.#events.nowMs;
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#wake();
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const run of backlog) this.binding(run)();
  }

  kill(): void {
    this.#wake();
    this.#dead = true;
    this.#life++;
    this.#backlog = [];
  }

  restart(): void {
    this.#dead = false;
    this.#life++;
  }

  #wake(): void {
    this.#stopped = false;
    if (this.#asleepSinceMs !== undefined) this.#sleptMs += this.#events.nowMs - this.#asleepSinceMs;
    this.#asleepSinceMs = undefined;
  }
}
