import { type ClockReading, elapsedAtMostMs } from "../../src/coherence/clocks.ts";
import { createHorizon, type Horizon } from "../../src/coherence/horizon.ts";
import { type GrantedLease, grantedLeftMs } from "../../src/coherence/watchers.ts";
import type { Host } from "./host.ts";
import type { VerifyAnswer, WatchMessage } from "./life.ts";
import type { CachedRecord } from "./postgres.ts";
import type { Replica } from "./replica.ts";
import type { World } from "./world.ts";

const ASK_INTERVAL_MS = 300;
const RECONNECT_MS = 200;
const CALL_BUDGET_MS = 3000;

/** One stream to one replica. Messages arrive in order, or not at all once it is cut. */
interface Stream {
  readonly id: number;
  readonly replica: Replica;
  cut: boolean;
  upMs: number;
  downMs: number;
}

/** A Verify that waits for the answer to an earlier one's call. */
interface Joined {
  readonly startedMs: number;
  /** Of the watch at that time. */
  readonly horizon: Horizon | undefined;
}

/** An SDK's near cache by rule 7. */
export class Sdk {
  readonly host: Host;
  readonly world: World;
  #stream: Stream | undefined;
  #horizon: Horizon | undefined;
  #lease: GrantedLease | undefined;
  #cache = new Map<string, CachedRecord>();
  #asked = new Map<number, ClockReading>();
  /** Calls on their way, with the Verifies that joined them. */
  readonly #calls = new Map<string, Joined[]>();

  constructor(host: Host, world: World) {
    this.host = host;
    this.world = world;
  }

  start(): void {
    this.#connect();
    this.#askAgain();
  }

  verify(keyId: string): void {
    const { world, host } = this;
    const startedMs = world.events.nowMs;
    const cached = this.#cache.get(keyId);
    const leased = this.#leaseLeftMs() > 0;
    if (cached !== undefined && leased && (!world.on("sdk-floors") || this.#horizon?.believes(cached) === true)) {
      world.tally.verifies++;
      world.tally.fromSdkCache++;
      if (cached.allows) world.checker.admit(host.name, startedMs, cached);
      return;
    }
    const call = this.#calls.get(keyId);
    if (call !== undefined && (leased || !world.on("sdk-own-call"))) {
      call.push({ startedMs, horizon: this.#horizon });
    } else {
      this.#call(keyId);
    }
  }

  #call(keyId: string): void {
    const { world, host } = this;
    const replica = world.prng.pick(world.replicas);
    if (!replica.serving) return;
    const joined: Joined[] = [];
    this.#calls.set(keyId, joined);
    // One that is never answered.
    host.after(CALL_BUDGET_MS, () => {
      if (this.#calls.get(keyId) === joined) this.#calls.delete(keyId);
    });
    world.events.after(
      world.latencyMs(),
      replica.host.binding(() =>
        replica.verify(keyId, (answer) =>
          world.events.after(
            world.latencyMs(),
            host.binding(() => {
              if (this.#calls.get(keyId) === joined) this.#calls.delete(keyId);
              const kept = this.#take(answer);
              for (const waiting of joined) this.#answerJoined(keyId, answer, kept, waiting);
            }),
          ),
        ),
      ),
    );
  }

  /** Its lease vouches for an answer that was on its way before it began, if the watch that gave the lease does not speak against it. */
  #answerJoined(keyId: string, answer: VerifyAnswer, kept: boolean, { startedMs, horizon }: Joined): void {
    const { world, host } = this;
    if (answer.kind === "unavailable") return;
    if ((kept && horizon === this.#horizon) || !world.on("sdk-own-call")) {
      world.tally.verifies++;
      if (answer.record.allows) world.checker.admit(host.name, startedMs, answer.record);
    } else {
      this.#call(keyId);
    }
  }

  /** Cuts the stream. Either end may learn of it much later. */
  cut(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    stream.cut = true;
    this.world.events.after(
      this.world.latencyMs(),
      stream.replica.host.binding(() => stream.replica.closeWatch(stream.id)),
    );
    this.host.after(this.world.prng.below(3000), () => this.#ended(stream));
  }

  /** Whether the answer was kept. */
  #take(answer: VerifyAnswer): boolean {
    const { world } = this;
    const horizon = this.#horizon;
    if (answer.kind !== "record" || answer.applied === undefined || horizon === undefined) return false;
    if (answer.degraded && world.on("degraded-not-kept")) return false;
    const kept = { ...answer.record, position: answer.applied };
    const sound = world.on("watch-horizon") && world.on("sdk-floors");
    const believed = sound ? horizon.believes(kept) : !world.on("sdk-floors") || horizon.floors.allow(kept.entities);
    if (believed) this.#cache.set(kept.keyId, sound ? kept : { ...kept, position: horizon.position });
    return believed;
  }

  #leaseLeftMs(): number {
    const now = this.host.read();
    const lease = this.#lease;
    if (lease === undefined || this.world.on("sdk-clocks")) return grantedLeftMs(lease, now);
    return lease.spanMs - (now.monotonicMs - lease.asked.monotonicMs);
  }

  #connect(): void {
    const { world } = this;
    const replica = world.prng.pick(world.replicas);
    if (!replica.serving) {
      this.host.after(RECONNECT_MS, () => this.#connect());
      return;
    }
    const stream: Stream = { id: world.nextId(), replica, cut: false, upMs: 0, downMs: 0 };
    this.#stream = stream;
    this.#up(stream, () => replica.openWatch(stream.id, (message) => this.#down(stream, message)));
    // An opening that is never answered.
    this.host.after(5000, () => {
      if (this.#stream === stream && this.#horizon === undefined) this.#ended(stream);
    });
  }

  #askAgain(): void {
    this.host.after(ASK_INTERVAL_MS, () => {
      const stream = this.#stream;
      if (stream !== undefined && this.#horizon !== undefined) {
        const ask = this.world.nextId();
        this.#asked.set(ask, this.host.read());
        this.#up(stream, () => stream.replica.askLease(stream.id, ask));
        if (stream.replica.host.dead) this.#ended(stream);
      }
      this.#askAgain();
    });
  }

  #receive(stream: Stream, message: WatchMessage): void {
    if (stream !== this.#stream) return;
    const { world } = this;
    switch (message.kind) {
      case "ended":
        this.#ended(stream);
        return;
      case "opened":
        if (world.on("watch-empties")) {
          this.#cache.clear();
          this.#lease = undefined;
        }
        this.#horizon = createHorizon(message.position);
        if (!world.on("watch-empties")) {
          for (const [keyId, record] of this.#cache) this.#cache.set(keyId, { ...record, position: message.position });
        }
        return;
      case "changes":
        for (const change of message.changes) {
          this.#horizon?.raise(change);
          for (const [keyId, { entities }] of this.#cache) {
            if (entities.some(({ id, version }) => id === change.id && version < change.version))
              this.#cache.delete(keyId);
          }
        }
        this.#up(stream, () => stream.replica.acknowledge(stream.id, message.message));
        if (world.prng.chance(0.1) && world.on("sdk-floors")) this.#horizon?.moveTo(message.position.snapshot);
        return;
      case "granted": {
        const asked = world.on("ask-time") ? this.#asked.get(message.ask) : this.host.read();
        this.#asked.delete(message.ask);
        if (asked === undefined) return;
        const lease = { asked, spanMs: message.spanMs };
        if (this.#lease === undefined || endsLater(lease, this.#lease, this.host.read())) this.#lease = lease;
        return;
      }
    }
  }

  #ended(stream: Stream): void {
    if (stream !== this.#stream) return;
    stream.cut = true;
    this.#stream = undefined;
    // The lease holds on, and the cache with it, until another watch is opened.
    this.host.after(RECONNECT_MS, () => this.#connect());
  }

  #up(stream: Stream, run: () => void): void {
    const { events } = this.world;
    stream.upMs = Math.max(stream.upMs, events.nowMs + this.world.latencyMs());
    const bound = stream.replica.host.binding(run);
    events.after(stream.upMs - events.nowMs, () => {
      if (!stream.cut) bound();
    });
  }

  #down(stream: Stream, message: WatchMessage): void {
    const { events } = this.world;
    stream.downMs = Math.max(stream.downMs, events.nowMs + this.world.latencyMs());
    const bound = this.host.binding(() => this.#receive(stream, message));
    events.after(stream.downMs - events.nowMs, () => {
      if (!stream.cut) bound();
    });
  }
}

function endsLater(lease: GrantedLease, than: GrantedLease, now: ClockReading): boolean {
  return lease.spanMs - elapsedAtMostMs(lease.asked, now) > than.spanMs - elapsedAtMostMs(than.asked, now);
}
