import type { Host } from "./host.ts";
import type { Replica } from "./replica.ts";
import type { World } from "./world.ts";

/** What can go wrong. Each breaks something now, and mends it after a while of its own choosing. */
export const faults = {
  pause(world) {
    stop(world, anyHost(world), false, someTimeMs(world, 6000));
  },
  "pause-long"(world) {
    stop(world, anyHost(world), false, someTimeMs(world, 90_000));
  },
  suspend(world) {
    stop(world, anyHost(world), true, someTimeMs(world, 3000));
  },
  "suspend-long"(world) {
    stop(world, anyHost(world), true, someTimeMs(world, 90_000));
  },
  "jump-wall"(world) {
    const host = anyHost(world);
    // Set back while the machine sleeps, and by as much: no clock would be left to tell, and the protocol assumes that one is.
    if (!host.running) return;
    const byMs = (world.prng.chance(0.5) ? 1 : -1) * someTimeMs(world, world.prng.chance(0.5) ? 2000 : 3_600_000);
    world.trace(host.name, `its wall clock jumps by ${byMs.toFixed(0)} ms`);
    host.jumpWall(byMs);
  },
  kill(world) {
    kill(world, anyReplica(world), false);
  },
  "kill-worker"(world) {
    kill(world, anyReplica(world), true);
  },
  drain(world) {
    const replica = anyReplica(world);
    if (!replica.host.running || !replica.serving) return;
    world.trace(replica.name, "drains");
    replica.drain(() => {
      replica.host.kill();
      restartLater(world, replica);
    });
  },
  "cut-postgres"(world) {
    cut(world, anyReplica(world).host, "postgres", someTimeMs(world, 4000));
  },
  "cut-postgres-long"(world) {
    cut(world, anyReplica(world).host, "postgres", someTimeMs(world, 90_000));
  },
  "mute-writes"(world) {
    cut(world, anyReplica(world).host, "writes", 16_000 + someTimeMs(world, 10_000));
  },
  "cut-redis"(world) {
    cut(world, anyReplica(world).host, "redis", someTimeMs(world, 20_000));
  },
  "redis-down"(world) {
    world.redis.up = false;
    world.trace("redis", "is down");
    world.events.after(someTimeMs(world, 10_000), () => {
      world.redis.up = true;
      if (world.prng.chance(0.5)) world.redis.flush();
    });
  },
  "redis-flush"(world) {
    world.redis.flush();
  },
  "redis-old"(world) {
    world.redis.keepCopy();
    world.events.after(someTimeMs(world, 8000), () => {
      world.trace("redis", "is what it was a while ago");
      world.redis.restoreCopy();
    });
  },
  "postgres-freeze"(world) {
    const forMs = someTimeMs(world, 4000);
    world.trace("postgres", `is frozen for ${forMs.toFixed(0)} ms`);
    world.postgres.frozenUntilMs = world.events.nowMs + forMs;
  },
  "postgres-crash"(world) {
    if (!world.postgres.up) return;
    world.trace("postgres", "crashes");
    world.postgres.crash();
    world.events.after(someTimeMs(world, 5000), () => {
      world.trace("postgres", "is back");
      if (!world.postgres.standbyOnly) world.postgres.up = true;
    });
  },
  "fail-over"(world) {
    const { postgres, prng } = world;
    if (!postgres.up) return;
    const lost = prng.pick([0, 0, 1, 2, 3, 6, 12]);
    world.trace("postgres", `fails over and loses ${lost} transactions`);
    postgres.failOver(lost);
    world.events.after(someTimeMs(world, 1500), () => {
      postgres.promote();
      world.trace("postgres", `is promoted to ${postgres.timeline}`);
    });
  },
  "read-only"(world) {
    world.trace("postgres", "takes no writes");
    world.postgres.readOnly = true;
    world.events.after(someTimeMs(world, 30_000), () => {
      world.postgres.readOnly = false;
    });
  },
  misroute(world) {
    const { host } = anyReplica(world);
    world.trace(host.name, "is led to the standby");
    host.route = "standby";
    world.postgres.lagStandby(world.prng.below(12));
    world.events.after(someTimeMs(world, 4000), () => {
      host.route = "primary";
    });
  },
  "postgres-clock"(world) {
    world.trace("postgres", "its clock jumps");
    world.postgres.clockOffsetMs += (world.prng.chance(0.7) ? 1 : -1) * 3_600_000;
  },
  trim(world) {
    world.trace("postgres", "the feed is trimmed");
    world.postgres.trim();
  },
  prune(world) {
    const replica = anyReplica(world);
    if (replica.host.running) replica.prune();
  },
  evict(world) {
    const replica = anyReplica(world);
    if (replica.host.running) replica.evict();
  },
  "cut-stream"(world) {
    if (world.sdks.length === 0) return;
    const sdk = world.prng.pick(world.sdks);
    if (!sdk.host.running) return;
    world.trace(sdk.host.name, "its stream is cut");
    sdk.cut();
  },
} satisfies Record<string, (world: World) => void>;

export type Fault = keyof typeof faults;

export const allFaults = Object.keys(faults) as Fault[];

/** Those that last long enough to matter to `available` keyspaces alone. */
export const longFaults: readonly Fault[] = ["pause-long", "suspend-long", "cut-postgres-long"];

function anyReplica(world: World): Replica {
  return world.prng.pick(world.replicas);
}

function anyHost(world: World): Host {
  return world.prng.pick([...world.replicas, ...world.sdks]).host;
}

/** Rather short than long, but long at times. */
function someTimeMs(world: World, atMostMs: number): number {
  return atMostMs * world.prng.next() * (world.prng.chance(0.5) ? 1 : 0.2);
}

export function stop(world: World, host: Host, asleep: boolean, forMs: number): void {
  if (!host.running) return;
  world.trace(host.name, `${asleep ? "sleeps" : "is frozen"} for ${forMs.toFixed(0)} ms`);
  host.stop(asleep);
  world.events.after(forMs, () => {
    if (!host.dead) world.trace(host.name, "goes on");
    host.resume();
  });
}

export function cut(world: World, host: Host, from: keyof Host["reaches"], forMs: number): void {
  world.trace(host.name, `is cut from ${from} for ${forMs.toFixed(0)} ms`);
  host.reaches[from] = false;
  world.events.after(forMs, () => {
    host.reaches[from] = true;
  });
}

/** With a cluster's primary beside it, which sees the exit, a dead worker's row is deleted and the worker replaced. */
function kill(world: World, replica: Replica, clustered: boolean): void {
  if (replica.host.dead) return;
  world.trace(replica.name, "is killed");
  const { memberId } = replica;
  replica.host.kill();
  if (clustered && memberId !== undefined) {
    const remove = (): void => {
      const server = world.postgres.serverOf("primary");
      const done = server === undefined ? undefined : world.postgres.write(server, (db) => db.members.delete(memberId));
      if (done === undefined) world.events.after(300, remove);
    };
    world.events.after(world.on("dead-worker-waits") ? 1050 / replica.host.rate : 0, remove);
  }
  restartLater(world, replica);
}

function restartLater(world: World, replica: Replica): void {
  world.events.after(someTimeMs(world, 3000), () => {
    if (!replica.host.dead) return;
    world.trace(replica.name, "starts");
    replica.host.restart();
    replica.start();
  });
}
