import { cut, stop } from "./faults.ts";
import type { needed } from "./guards.ts";
import type { Replica } from "./replica.ts";
import type { Course, Stage } from "./walk.ts";

/** Two replicas that nothing happens to but revocations in a strict keyspace. */
export const health: Course = {
  durationMs: 10_000,
  replicas: 2,
  sdks: 0,
  faults: [],
  faultEveryMs: 300,
  editEveryMs: 150,
  verifyEveryMs: 5,
  slow: 0,
  late: 0,
  hintLoss: 0.05,
  freezeBeforeCommit: 0,
  edits: ["key"],
  modes: ["strict"],
  drift: 0,
};

const watched: Course = { ...health, sdks: 2 };
const degraded: Course = {
  ...health,
  modes: ["available"],
  durationMs: 100_000,
  editEveryMs: 1000,
  verifyEveryMs: 40,
  faultEveryMs: 5000,
  faults: ["cut-postgres-long"],
};

/** Where a guard is missed soonest. The seeds do the rest. */
export const courses: Record<keyof typeof needed, Course> = {
  "poll-xip": { ...health, freezeBeforeCommit: 0.3, replicas: 3 },
  "poll-trimmed": { ...health, faults: ["cut-postgres", "trim", "trim"] },
  "trim-by-snapshot": { ...health, freezeBeforeCommit: 0.3, replicas: 3, hintLoss: 1, faults: ["trim"] },
  "poll-timeline": { ...health, faults: ["fail-over"], faultEveryMs: 4000, durationMs: 20_000 },
  "poll-recovery": { ...health, faults: ["misroute"], faultEveryMs: 1000 },
  "read-recovery": { ...health, faults: ["misroute", "mute-writes"], faultEveryMs: 1000 },
  "floor-on-store": { ...health, slow: 0.05, faults: ["evict"] },
  "floor-on-hit": health,
  horizon: { ...health, faults: ["kill", "redis-old", "redis-old"] },
  "horizon-xip": scripted(3, 6000, startsBesideLateCommitter),
  "horizon-on-hit": { ...health, faults: ["prune"], edits: ["others"] },
  "record-timeline": scripted(3, 6000, findsRecordOfLostTimeline),
  "horizon-moves": { ...health, faults: ["prune", "redis-old", "evict"] },
  lease: { ...health, faults: ["cut-postgres"] },
  "lease-from-start": { ...health, slow: 0.1, late: 0.02, hintLoss: 1 },
  "lease-clocks": { ...health, faults: ["suspend"] },
  "clocks-finely": scripted(2, 5000, sleepsForLessThanASecond),
  "row-before-poll": scripted(2, 6000, pollsBeforeItsRowArrives),
  "lease-within-row": scripted(2, 18_000, losesItsRow),
  "row-from-sent": scripted(2, 26_000, renewsWithSlowAnswer),
  "row-clocks": scripted(2, 21_000, sleepsForLongerThanItsRow),
  "late-renewal": { ...scripted(2, 18_000, renewsTooLate), verifyEveryMs: Number.POSITIVE_INFINITY },
  "own-read": { ...health, faults: ["mute-writes", "evict"], slow: 0.1, faultEveryMs: 500 },
  "bound-rates": { ...health, faults: ["cut-postgres"], drift: 1, editEveryMs: 50 },
  "bound-from-answer": { ...health, late: 0.15, hintLoss: 1 },
  "bound-monotonic": { ...health, faults: ["cut-postgres", "jump-wall"] },
  "roster-after-commit": scripted(2, 6000, joinsWhileCommitTravels),
  "timeline-settles": {
    ...degraded,
    faults: ["kill", "fail-over", "cut-postgres-long"],
    faultEveryMs: 1000,
    durationMs: 40_000,
  },
  "lapsed-row-counts": degraded,
  "lapse-by-own-clock": { ...health, faults: ["postgres-clock"], hintLoss: 1, faultEveryMs: 1000 },
  "lapse-rates": { ...scripted(2, 18_000, lapsesOnAFastClock), drift: 1 },
  "strict-settles": { ...degraded, edits: ["key", "mode"] },
  "mode-lock": { ...scripted(2, 75_000, losesStrictnessInBetween), verifyEveryMs: 100 },
  "weakest-mode": { ...degraded, edits: ["others"], modes: ["available", "strict"] },
  "row-outlives-leases": { ...watched, faults: ["drain"], editEveryMs: 30 },
  "dead-worker-waits": { ...watched, faults: ["kill-worker"], editEveryMs: 30 },
  "replay-waits": { ...degraded, late: 0.05 },
  "ask-time": { ...watched, slow: 0.1, late: 0.02 },
  "grant-within": { ...watched, faults: ["cut-postgres"] },
  "sdk-clocks": { ...watched, faults: ["suspend"] },
  "watch-empties": { ...watched, faults: ["cut-stream"] },
  "watch-horizon": { ...watched, replicas: 3, faults: ["cut-stream", "cut-postgres"], slow: 0.1 },
  "sdk-floors": { ...watched, slow: 0.1 },
  "sdk-own-call": { ...watched, slow: 0.1, late: 0.01 },
  "publish-waits": { ...watched, slow: 0.1 },
  "watcher-rates": { ...watched, faults: ["cut-stream"], drift: 1, editEveryMs: 50, replicas: 1 },
  "lease-outlives-stream": { ...watched, faults: ["cut-stream"] },
  "strict-refuses": { ...health, faults: ["cut-postgres"] },
  "available-settles": { ...scripted(2, 6000, losesAvailability), modes: ["strict"] },
  "degraded-ends": { ...scripted(2, 70_000, staysCutOff), verifyEveryMs: 100, modes: ["available"] },
  "degraded-clocks": { ...degraded, faults: ["cut-postgres-long", "suspend-long"], durationMs: 150_000 },
  "degraded-needs-row": { ...scripted(2, 96_000, loosesRowThenPostgres), verifyEveryMs: 100, modes: ["available"] },
  "available-bound": degraded,
};

function scripted(replicas: number, durationMs: number, script: (stage: Stage, replicas: Cast) => void): Course {
  return {
    ...health,
    replicas,
    durationMs,
    hintLoss: 1,
    editEveryMs: Number.POSITIVE_INFINITY,
    script: (stage) => {
      const [revoker, other, third] = stage.world.replicas;
      if (revoker !== undefined && other !== undefined) script(stage, { revoker, other, third: third ?? other });
    },
  };
}

interface Cast {
  readonly revoker: Replica;
  readonly other: Replica;
  readonly third: Replica;
}

/** A record in Redis and a fresh replica's first poll have the same xmax; between them a revocation committed, late. */
function startsBesideLateCommitter({ world, at, edit }: Stage, { revoker, other, third }: Cast): void {
  at(900, () => third.host.kill());
  at(950, () => cut(world, revoker.host, "redis", 10_000));
  at(1000, () =>
    edit(revoker, { entity: "key_0", allows: false, beforeCommit: () => stop(world, revoker.host, false, 500) }),
  );
  at(1100, () => edit(other, { entity: "key_5", allows: false }));
  at(1200, () => {
    other.evict();
    world.redis.flush();
    other.verify("key_0", () => {});
  });
  at(1550, () => start(third));
}

/** A lossy failover gives out anew the ids that a record in Redis saw; its key is revoked under one of them. */
function findsRecordOfLostTimeline({ world, at, edit }: Stage, { revoker, other, third }: Cast): void {
  at(400, () => third.host.kill());
  for (let time = 500; time < 1500; time += 50) {
    at(time, () => edit(other, { entity: "own_1", allows: true }));
  }
  at(1550, () => {
    other.evict();
    world.redis.flush();
    other.verify("key_0", () => {});
  });
  at(1600, () => cut(world, revoker.host, "redis", 10_000));
  at(1700, () => world.postgres.failOver(12));
  at(1750, () => world.postgres.promote());
  at(1800, () => edit(revoker, { entity: "key_0", allows: false }));
  at(1900, () => start(third));
}

/** A renewal is answered seconds after it was run, and none after it gets through. */
function renewsWithSlowAnswer({ world, at, edit, pace }: Stage, { revoker, other }: Cast): void {
  at(500, () => other.host.kill());
  at(1000, () => {
    start(other);
    pace(() => 1);
  });
  // It was sent at 6002 ms, and run a millisecond later.
  at(6002.5, () => pace(() => 2500));
  at(6003.5, () => {
    pace(undefined);
    cut(world, other.host, "writes", 60_000);
  });
  revokeOften({ at, edit }, { revoker, other }, { fromMs: 22_000, toMs: 24_000, everyMs: 60 });
}

/** A replica's row is long on its way, while its polls are not. */
function pollsBeforeItsRowArrives({ at, edit, pace }: Stage, { revoker, other }: Cast): void {
  at(500, () => other.drain(() => other.host.kill()));
  at(3000, () => {
    const latenciesMs = [300];
    pace(() => latenciesMs.shift() ?? 0.5);
    start(other);
  });
  at(3010, () => other.verify("key_0", () => {}));
  at(3020, () => edit(revoker, { entity: "key_0", allows: false }));
}

/** A replica joins, polls and reads after the members were read and before the revocation is committed. */
function joinsWhileCommitTravels({ at, edit, pace }: Stage, { revoker, other }: Cast): void {
  at(500, () => other.drain(() => other.host.kill()));
  at(3000, () => {
    const latenciesMs = [0.5, 300];
    const beforeCommit = (): void => pace(() => latenciesMs.shift() ?? 0.5);
    edit(revoker, { entity: "key_0", allows: false, beforeCommit });
  });
  at(3020, () => start(other));
  at(3100, () => other.verify("key_0", () => {}));
}

/** A renewal is run after the row has lapsed, while the answer to a poll is on its way. */
function renewsTooLate({ world, at, edit, pace }: Stage, { revoker, other }: Cast): void {
  at(500, () => other.host.kill());
  at(900, () => pace(() => 0.5));
  at(1000, () => start(other));
  // Renewals fail from the one at 6001 ms to that at 16051 ms; the next one is sent at 17056 ms.
  at(1500, () => cut(world, other.host, "writes", 15_500));
  // The key is the owner's, and not one of those that are looked at by the way: that would read it anew.
  at(17_020, () => other.verify("key_4", () => {}));
  at(17_030, () => other.pollNow());
  at(17_030.3, () => pace(() => 300));
  at(17_030.7, () => pace(() => 0.5));
  at(17_031, () => edit(revoker, { entity: "own_0", allows: false }));
  for (let time = 17_331; time < 17_333; time += 0.2) at(time, () => other.verify("key_4", () => {}));
}

/** A replica's row lapses while its polls go on; then it is cut off as well. */
function loosesRowThenPostgres({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1000, () => cut(world, other.host, "writes", 200_000));
  at(89_500, () => other.verify("key_0", () => {}));
  at(90_000, () => cut(world, other.host, "postgres", 60_000));
  at(90_100, () => edit(revoker, { entity: "key_0", allows: false }));
}

/** A machine sleeps for not quite as long as its lease, and is cut off when it wakes. */
function sleepsForLessThanASecond({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1900, () => other.verify("key_0", () => {}));
  at(2000, () => {
    stop(world, other.host, true, 900);
    cut(world, other.host, "postgres", 10_000);
  });
  at(2001, () => edit(revoker, { entity: "key_0", allows: false }));
}

/** A replica can poll, but not renew its row. */
function losesItsRow({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1500, () => cut(world, other.host, "writes", 60_000));
  revokeOften({ at, edit }, { revoker, other }, { fromMs: 16_200, toMs: 17_400, everyMs: 40 });
}

/** A machine sleeps, and when it wakes its monotonic clock knows nothing of it. */
function sleepsForLongerThanItsRow({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(2000, () => stop(world, other.host, true, 17_000));
  revokeOften({ at, edit }, { revoker, other }, { fromMs: 19_300, toMs: 20_400, everyMs: 40 });
}

/** A row is not renewed: it ends later by its slow holder's clock than by the revoker's. */
function lapsesOnAFastClock({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1500, () => cut(world, other.host, "writes", 60_000));
  revokeOften({ at, edit }, { revoker, other }, { fromMs: 14_600, toMs: 15_800, everyMs: 20 });
}

/** A replica is cut off for longer than degraded answers may go on. */
function staysCutOff({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1500, () => other.verify("key_0", () => {}));
  at(2000, () => cut(world, other.host, "postgres", 200_000));
  at(2100, () => edit(revoker, { entity: "key_0", allows: false }));
}

/** A strict keyspace is made available, and a failover takes that back behind a replica's back. */
function losesAvailability({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1000, () => edit(revoker, { entity: "ks_0", allows: true, mode: "available" }));
  at(1100, () => {
    other.evict();
    world.redis.flush();
    other.verify("key_0", () => {});
  });
  at(1200, () => cut(world, other.host, "postgres", 60_000));
  at(1300, () => world.postgres.failOver(12));
  at(1350, () => world.postgres.promote());
  at(1500, () => edit(revoker, { entity: "key_0", allows: false }));
}

/** A strict keyspace becomes available between a revocation's last statement and its COMMIT. */
function losesStrictnessInBetween({ world, at, edit }: Stage, { revoker, other }: Cast): void {
  at(1000, () =>
    edit(revoker, { entity: "key_0", allows: false, beforeCommit: () => stop(world, revoker.host, false, 68_000) }),
  );
  at(1100, () => edit(other, { entity: "ks_0", allows: true, mode: "available" }));
  at(68_000, () => {
    other.evict();
    world.redis.flush();
    other.verify("key_0", () => {});
  });
  at(68_500, () => cut(world, other.host, "postgres", 60_000));
}

function revokeOften(
  { at, edit }: Pick<Stage, "at" | "edit">,
  { revoker, other }: Pick<Cast, "revoker" | "other">,
  { fromMs, toMs, everyMs }: { fromMs: number; toMs: number; everyMs: number },
): void {
  for (let index = 0; fromMs + index * everyMs < toMs; index++) {
    at(fromMs + index * everyMs - 40, () => other.verify(`key_${index}`, () => {}));
    at(fromMs + index * everyMs, () => edit(revoker, { entity: `key_${index}`, allows: false }));
  }
}

function start(replica: Replica): void {
  replica.host.restart();
  replica.start();
}
