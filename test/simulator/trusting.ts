/** What a replica of the model may believe: what `src/coherence` says, unless a guard is left out. */
import { LEASE_MS, ROW_MS } from "../../src/coherence/bounds.ts";
import { type ClockReading, elapsedAtMostMs } from "../../src/coherence/clocks.ts";
import { degradedLeftMs, leaseLeftMs, type Trust, trustFrom } from "../../src/coherence/lease.ts";
import { seesAll } from "../../src/coherence/snapshot.ts";
import type { Guard } from "./guards.ts";
import type { Life } from "./life.ts";
import type { CachedRecord } from "./postgres.ts";
import type { World } from "./world.ts";

type Known = Pick<Life, "trust" | "membership" | "draining" | "horizon">;

export function leaseLeft(world: World, { trust, membership, draining }: Known, now: ClockReading): number {
  if (draining || trust === undefined) return 0;
  if (!world.on("lease")) return LEASE_MS;
  if (all(world, ["lease-within-row", "lease-clocks", "row-clocks", "clocks-finely"])) {
    return leaseLeftMs(trust, membership, now);
  }
  const leaseMs = LEASE_MS - elapsedMs(world, trust.pollBegan, now, "lease-clocks");
  if (!world.on("lease-within-row")) return leaseMs;
  if (membership === undefined || !givesTrust(world, { membership }, trust)) return 0;
  return Math.min(leaseMs, ROW_MS - elapsedMs(world, membership.renewed, now, "row-clocks"));
}

/** Whether the poll that this trust would rest on gives it. */
export function givesTrust(
  world: World,
  { membership }: Pick<Known, "membership">,
  { timeline, pollBegan }: Trust,
): boolean {
  if (!all(world, ["lease-within-row", "degraded-needs-row"])) return true;
  if (all(world, ["row-clocks", "lease-clocks", "clocks-finely"])) {
    return trustFrom({ timeline, began: pollBegan }, membership) !== undefined;
  }
  if (membership?.timeline !== timeline) return false;
  const { joined, renewed } = membership;
  const rowMs = elapsedMs(world, renewed, pollBegan, "row-clocks");
  return joined.monotonicMs <= pollBegan.monotonicMs && rowMs < ROW_MS;
}

export function degradedLeft(world: World, trust: Trust | undefined, now: ClockReading): number {
  if (trust === undefined || all(world, ["degraded-ends", "degraded-clocks"])) return degradedLeftMs(trust, now);
  if (!world.on("degraded-ends")) return 1;
  const { monotonicMs, wallMs } = trust.pollBegan;
  return degradedLeftMs(trust, { monotonicMs: now.monotonicMs, wallMs: wallMs + now.monotonicMs - monotonicMs });
}

/** Whether a record that was just read may be kept. */
export function believesNew(world: World, { horizon }: Known, record: CachedRecord): boolean {
  if (horizon === undefined) return false;
  if (soundHorizon(world)) return horizon.believes(record);
  const { timeline, snapshot } = horizon.position;
  const sameTimeline = !world.on("record-timeline") || record.position.timeline === timeline;
  const floorsAllow = !world.on("floor-on-store") || horizon.floors.allow(record.entities);
  if (!world.on("horizon")) return sameTimeline && floorsAllow;
  const reaches = world.on("horizon-xip")
    ? seesAll(record.position.snapshot, snapshot)
    : record.position.snapshot.xmax >= snapshot.xmax;
  return sameTimeline && reaches && floorsAllow;
}

/** Whether a record that was kept may still answer. */
export function believesHit(world: World, { horizon }: Known, record: CachedRecord): boolean {
  if (horizon === undefined) return false;
  if (soundHorizon(world)) return horizon.believes(record);
  return !all(world, ["floor-on-hit", "floor-on-store"]) || horizon.floors.allow(record.entities);
}

function soundHorizon(world: World): boolean {
  return (
    all(world, ["floor-on-hit", "floor-on-store", "horizon-on-hit", "record-timeline"]) &&
    all(world, ["horizon", "horizon-xip", "poll-timeline"])
  );
}

/** As `elapsedAtMostMs`, unless a guard is left out. */
function elapsedMs(world: World, from: ClockReading, to: ClockReading, guard: Guard): number {
  const monotonicMs = to.monotonicMs - from.monotonicMs;
  if (!all(world, [guard, "lease-clocks"])) return monotonicMs;
  if (world.on("clocks-finely")) return elapsedAtMostMs(from, to);
  return Math.abs(to.wallMs - from.wallMs - monotonicMs) > 1000 ? Number.POSITIVE_INFINITY : monotonicMs;
}

function all(world: World, guards: readonly Guard[]): boolean {
  return guards.every((guard) => world.on(guard));
}
