import type { RevocationMode } from "../../src/coherence/mode.ts";
import { createPrng, type Prng } from "../harness/prng.ts";
import { Checker, type Obligation, type Violation } from "./checker.ts";
import { createEvents } from "./events.ts";
import { allFaults, type Fault, faults, longFaults, stop } from "./faults.ts";
import type { Guard } from "./guards.ts";
import { Host } from "./host.ts";
import { type Db, type Entity, SimPostgres } from "./postgres.ts";
import { SimRedis } from "./redis.ts";
import { Replica } from "./replica.ts";
import { change, type Edit, replay } from "./revoker.ts";
import { Sdk } from "./sdk.ts";
import type { Tally, World } from "./world.ts";

/** What a walk is like. All else follows from its seed. */
export interface Course {
  readonly durationMs: number;
  readonly replicas: number;
  readonly sdks: number;
  readonly faults: readonly Fault[];
  /** On average, between two faults. */
  readonly faultEveryMs: number;
  readonly editEveryMs: number;
  readonly verifyEveryMs: number;
  /** How likely it is that a message takes 20 ms to 400 ms, or 1 s to 12 s. */
  readonly slow: number;
  readonly late: number;
  /** How likely it is that a hint is lost. */
  readonly hintLoss: number;
  /** How likely it is that a change's replica freezes between its last statement and COMMIT. */
  readonly freezeBeforeCommit: number;
  /** What is changed. */
  readonly edits: readonly ("key" | "others" | "mode")[];
  readonly modes: readonly RevocationMode[];
  /** How far clocks run apart: 0 to 1, where 1 is the most that the protocol allows for. */
  readonly drift: number;
  /** What is certain to happen, beside all that chance adds. */
  readonly script?: (stage: Stage) => void;
}

export interface Outcome {
  readonly seed: number;
  readonly course: Course;
  readonly violations: readonly Violation[];
  readonly tally: Tally;
  readonly admitted: number;
  /** How many events there were. */
  readonly events: number;
  readonly trace: readonly string[];
}

/** A course drawn from a seed: some faults of all there are, since a walk with all of them seldom gets far in any. */
export function randomCourse(prng: Prng): Course {
  const long = prng.chance(0.12);
  const likely = prng.pick([0.15, 0.3, 0.6]);
  const chosen = allFaults.filter((fault) => (long || !longFaults.includes(fault)) && prng.chance(likely));
  return {
    durationMs: long ? 100_000 + prng.below(60_000) : 6000 + prng.below(14_000),
    replicas: prng.pick([1, 2, 2, 3, 3, 4]),
    sdks: prng.pick([0, 1, 2, 3]),
    faults: chosen,
    faultEveryMs: (long ? 4 : 1) * prng.pick([300, 700, 1500]),
    editEveryMs: (long ? 5 : 1) * prng.pick([150, 300, 600]),
    verifyEveryMs: (long ? 6 : 1) * prng.pick([8, 15, 30]),
    slow: prng.pick([0, 0.01, 0.05]),
    late: prng.pick([0, 0, 0.005, 0.02]),
    hintLoss: prng.pick([0.05, 0.5, 1]),
    freezeBeforeCommit: prng.pick([0, 0.05, 0.2]),
    edits: prng.pick([["key"], ["key", "others"], ["key", "others", "mode"], ["key", "mode"]]),
    modes: prng.pick([["strict"], ["available"], ["strict", "available"], ["strict", "available"]]),
    drift: prng.pick([0, 0.5, 1]),
  };
}

/** What a scripted walk can do. */
export interface Stage {
  readonly world: World;
  readonly at: (timeMs: number, run: () => void) => void;
  readonly edit: (replica: Replica, what: Partial<Edit> & Pick<Edit, "entity" | "allows">) => void;
  /** Rules the network's pace, until it is given back. */
  readonly pace: (latencyMs: (() => number) | undefined) => void;
}

/** Lets a service run, break and mend for a while, and says whether it kept its word. */
export function walk(seed: number, options: { course?: Course; without?: Guard; traced?: boolean } = {}): Outcome {
  const prng = createPrng(seed);
  const drawn = randomCourse(prng);
  const course = options.course ?? drawn;
  const events = createEvents();
  const checker = new Checker(probe);
  const tally: Tally = {
    verifies: 0,
    fromCache: 0,
    fromSdkCache: 0,
    degraded: 0,
    unavailable: 0,
    changes: 0,
    early: 0,
    atBound: 0,
    ahead: 0,
    anew: 0,
    slowestStrictMs: 0,
    slowestAvailableMs: 0,
  };
  const trace: string[] = [];
  const things = createThings(course);
  let ids = 0;
  let pace: (() => number) | undefined;

  const replicas: Replica[] = [];
  const sdks: Sdk[] = [];
  const world: World = {
    events,
    prng,
    checker,
    tally,
    replicas,
    sdks,
    hintLoss: course.hintLoss,
    on: (guard) => guard !== options.without,
    latencyMs() {
      if (pace !== undefined) return pace();
      if (prng.chance(course.late)) return 1000 + prng.below(11_000);
      if (prng.chance(course.slow)) return 20 + prng.below(380);
      return 0.2 + prng.next() * 1.5;
    },
    entitiesOf: (keyId) => things.entitiesOf.get(keyId) ?? [],
    keyspacesOf: (entity) => things.keyspacesOf.get(entity) ?? [],
    nextId: () => ++ids,
    trace(who, what) {
      if (options.traced === true) trace.push(`${events.nowMs.toFixed(1).padStart(9)}  ${who.padEnd(9)}  ${what}`);
    },
    // Both need the world, and are there before anything happens in it.
    get postgres() {
      return postgres;
    },
    get redis() {
      return redis;
    },
  };
  const postgres = new SimPostgres(world, things.db);
  const redis = new SimRedis(world);
  const host = (name: string): Host =>
    new Host(name, events, 1 + course.drift * 0.024 * prng.pick([-1, 0, 1]), prng.below(2000));
  for (let index = 0; index < course.replicas; index++) replicas.push(new Replica(host(`replica-${index}`), world));
  for (let index = 0; index < course.sdks; index++) sdks.push(new Sdk(host(`sdk-${index}`), world));
  for (const replica of replicas) events.after(prng.below(50), () => replica.start());
  for (const sdk of sdks) events.after(100 + prng.below(100), () => sdk.start());

  let revoked = 0;
  every(course.verifyEveryMs, () => {
    // Some keys that are about to be revoked, and those that just were.
    verify(prng.pick([...replicas, ...sdks, ...sdks]), `key_${Math.max(0, revoked - 2) + prng.below(6)}`);
  });
  course.script?.({
    world,
    at: (timeMs, run) => events.after(timeMs, run),
    edit,
    pace: (latencyMs) => {
      pace = latencyMs;
    },
  });
  every(course.editEveryMs, () => {
    const replica = prng.pick(replicas);
    if (!replica.host.running || !replica.serving) return;
    const kind = prng.pick(course.edits);
    if (kind === "key") edit(replica, { entity: `key_${revoked++}`, allows: false });
    else if (kind === "mode") editMode(replica);
    else toggle(replica);
  });
  if (course.faults.length > 0) {
    every(course.faultEveryMs, () => faults[prng.pick(course.faults)](world));
  }
  events.runUntil(course.durationMs);

  return {
    seed,
    course,
    violations: checker.violations,
    tally,
    admitted: checker.admitted,
    events: events.count,
    trace,
  };

  function every(averageMs: number, run: () => void): void {
    if (averageMs === Number.POSITIVE_INFINITY) return;
    events.after(2 * averageMs * prng.next(), () => {
      run();
      every(averageMs, run);
    });
  }

  function verify(client: Replica | Sdk, keyId: string): void {
    if (!things.entitiesOf.has(keyId)) return;
    if (client instanceof Sdk) client.host.binding(() => client.verify(keyId))();
    else if (client.serving) client.host.binding(() => client.verify(keyId, () => {}))();
  }

  /** Looks where a promise would be broken: everywhere, as soon as it holds and for a while. */
  function probe({ entity, effectiveMs }: Obligation): void {
    const keyId = entity.startsWith("key_") ? entity : `key_${Math.max(0, revoked - 1) + prng.below(4)}`;
    for (const afterMs of [0.01, 3, 15, 60, 200, 600, 4000]) {
      events.after(effectiveMs + afterMs - events.nowMs, () => {
        for (const client of [...replicas, ...sdks]) verify(client, keyId);
      });
    }
  }

  function edit(replica: Replica, what: Partial<Edit> & Pick<Edit, "entity" | "allows">): void {
    if (!things.keyspacesOf.has(what.entity)) return;
    const frozen = prng.chance(course.freezeBeforeCommit);
    const whole: Edit = {
      requestId: `request-${world.nextId()}`,
      maxWaitMs: prng.pick([0, 2000, 2000, 100_000]),
      ...(frozen ? { beforeCommit: () => stop(world, replica.host, prng.chance(0.3), 3000 * prng.next()) } : {}),
      ...what,
    };
    change(replica, whole, () => {
      const other = prng.pick(replicas);
      if (other.serving) other.host.binding(() => replay(other, whole))();
    });
  }

  function toggle(replica: Replica): void {
    const entity = prng.pick(things.others);
    edit(replica, { entity, allows: false });
    events.after(500 + prng.below(3000), () => {
      const other = prng.pick(replicas);
      if (other.host.running && other.serving) edit(other, { entity, allows: true });
    });
  }

  function editMode(replica: Replica): void {
    edit(replica, { entity: prng.pick(things.keyspaces), allows: true, mode: prng.pick(["strict", "available"]) });
  }
}

interface Things {
  readonly db: Db;
  readonly keyspaces: readonly string[];
  /** Owners, roles, keyspaces and the tenant. */
  readonly others: readonly string[];
  readonly entitiesOf: ReadonlyMap<string, readonly string[]>;
  readonly keyspacesOf: ReadonlyMap<string, readonly string[]>;
}

function createThings(course: Course): Things {
  const keyspaces = course.modes.map((_, index) => `ks_${index}`);
  const owners = ["own_0", "own_1"];
  const roles = ["rol_0", "rol_1", "rol_2"];
  const entity = (mode?: RevocationMode): Entity => ({
    version: 1,
    stamp: 0,
    allows: true,
    ...(mode === undefined ? {} : { mode, settled: true }),
  });
  const entities = new Map<string, Entity>(course.modes.map((mode, index) => [`ks_${index}`, entity(mode)]));
  for (const id of [...owners, ...roles, "ten_0"]) entities.set(id, entity());
  const entitiesOf = new Map<string, string[]>();
  const keyspacesOf = new Map<string, string[]>();
  for (let index = 0; index < Math.ceil(course.durationMs / Math.min(course.editEveryMs, 1000)) * 2 + 10; index++) {
    const keyId = `key_${index}`;
    const keyspace = `ks_${index % keyspaces.length}`;
    entities.set(keyId, entity());
    const of = [keyId, keyspace, `own_${index % 2}`, `rol_${index % 3}`, "ten_0"];
    entitiesOf.set(keyId, of);
    for (const id of of) {
      const known = keyspacesOf.get(id) ?? [];
      if (!known.includes(keyspace)) keyspacesOf.set(id, [...known, keyspace]);
    }
  }
  return {
    db: {
      entities,
      feed: [],
      trimmed: undefined,
      noted: undefined,
      trimmedXid: 0n,
      members: new Map(),
      timelines: new Map([["timeline-1", { strict: true, available: true }]]),
      requests: new Map(),
    },
    keyspaces,
    others: [...owners, ...roles, ...keyspaces, "ten_0"],
    entitiesOf,
    keyspacesOf,
  };
}
