import { ROW_MS, waited } from "../../src/coherence/bounds.ts";
import { effectBoundMs, hasTakenEffect, type Member, type Roster } from "../../src/coherence/early-return.ts";
import { type KeyspaceMode, type RevocationMode, trustMs, weakestMode } from "../../src/coherence/mode.ts";
import { type ChangeId, hasSeenAll, type Position } from "../../src/coherence/position.ts";
import { keyspaceModeOf, type OpenTransaction, type Server } from "./postgres.ts";
import type { Replica } from "./replica.ts";

const STATEMENT_BUDGET_MS = 3000;
const COMMIT_BUDGET_MS = 2500;
const LOOK_AGAIN_MS = 20;

export interface Edit {
  readonly entity: string;
  readonly allows: boolean;
  /** Of a keyspace: what its mode becomes. */
  readonly mode?: RevocationMode;
  readonly requestId: string;
  readonly maxWaitMs: number;
  /** Called between the transaction's last statement and COMMIT. */
  readonly beforeCommit?: () => void;
}

/** Changes an entity and returns when RevokeKey would. `lost` is called where the caller cannot know whether it was done. */
export function change(replica: Replica, edit: Edit, lost: () => void): void {
  const { world, host } = replica;
  const { postgres } = world;
  const keyspaces = world.keyspacesOf(edit.entity);
  let mode: RevocationMode = "available";

  postgres.send(
    host,
    STATEMENT_BUDGET_MS,
    (server) => {
      const locks = [
        { name: edit.entity, shared: false },
        ...(world.on("mode-lock")
          ? keyspaces.filter((id) => id !== edit.entity).map((name) => ({ name, shared: true }))
          : []),
      ];
      const transaction = postgres.begin(server, locks);
      if (transaction === undefined) return undefined;
      mode = modeOf(
        replica,
        keyspaces.map((id) => keyspaceModeOf(server.db.entities.get(id))),
      );
      prepare(transaction, edit, mode, server);
      return transaction;
    },
    (transaction) => {
      if (transaction === undefined) return;
      edit.beforeCommit?.();
      // Whoever froze in there goes on from here when it is woken.
      host.binding(() => commit(transaction))();
    },
  );

  function commit(transaction: OpenTransaction): void {
    const sentMs = host.monotonicMs;
    const sentTrueMs = world.events.nowMs;
    // Rows that were read too early, for the walk that reads them then.
    let early: Roster | undefined;
    if (!world.on("roster-after-commit")) readRoster(replica, (roster) => (early = roster));
    postgres.send(
      host,
      COMMIT_BUDGET_MS,
      () => postgres.commit(transaction),
      (committed) => {
        if (committed === undefined) lost();
        if (committed !== true) return;
        world.tally.changes++;
        world.trace(
          replica.name,
          `committed ${edit.entity}${edit.allows ? " (gives back)" : ""}, transaction ${transaction.xid}`,
        );
        if (world.on("hints")) hint(replica, edit.entity);
        if (edit.allows) return;
        const { entity, maxWaitMs } = edit;
        awaitEffect(replica, {
          change: transaction,
          stamp: transaction.stamp,
          entity,
          mode,
          fromMs: world.on("bound-from-answer") ? host.monotonicMs : sentMs,
          fromTrueMs: world.on("bound-from-answer") ? world.events.nowMs : sentTrueMs,
          maxWaitMs,
          early,
        });
      },
    );
  }
}

/** RevokeKey once more with the same `request_id`, after an answer that was lost. */
export function replay(replica: Replica, edit: Edit): void {
  const { world, host } = replica;
  world.postgres.send(
    host,
    STATEMENT_BUDGET_MS,
    (server) => {
      if (server.inRecovery) return undefined;
      const done = server.db.requests.get(edit.requestId);
      return done;
    },
    (done) => {
      if (done === undefined || edit.allows) return;
      world.trace(replica.name, `replays the change of ${edit.entity}`);
      if (!world.on("replay-waits")) {
        world.checker.promise({ entity: edit.entity, stamp: done.stamp, effectiveMs: world.events.nowMs });
        return;
      }
      const { stamp, entity, mode } = done;
      const { maxWaitMs } = edit;
      awaitEffect(replica, {
        change: done.change,
        stamp,
        entity,
        // As it was under the lock: it may have changed since, but for records that have the change as well.
        mode,
        fromMs: host.monotonicMs,
        fromTrueMs: world.events.nowMs,
        maxWaitMs,
        early: undefined,
      });
    },
  );
}

interface Awaited {
  readonly change: ChangeId;
  readonly stamp: number;
  readonly entity: string;
  readonly mode: RevocationMode;
  readonly fromMs: number;
  readonly fromTrueMs: number;
  readonly maxWaitMs: number;
  readonly early: Roster | undefined;
}

/** Rule 6. */
function awaitEffect(replica: Replica, awaited: Awaited): void {
  const { world, host } = replica;
  const { change: done, mode, fromMs, maxWaitMs } = awaited;
  const fromWallMs = host.read().wallMs;
  const boundMs = boundOf(replica, mode);
  const { stops } = host;
  let returned = false;
  // Both answer at their time; without them nothing else would end the wait.
  host.after(Math.min(maxWaitMs, boundMs), finish);
  look();

  function elapsedMs(): number {
    return world.on("bound-monotonic") ? host.monotonicMs - fromMs : host.read().wallMs - fromWallMs;
  }

  function look(): void {
    if (returned) return;
    if (elapsedMs() >= boundMs) {
      finish();
      return;
    }
    readRoster(replica, (roster) => {
      if (returned) return;
      const seen =
        awaited.early === undefined || roster === undefined
          ? roster
          : { ...roster, members: among(roster, awaited.early) };
      if (seen !== undefined && takenEffect(replica, done, mode, seen)) {
        returned = true;
        world.tally.early++;
        promise(0, "early");
      } else {
        host.after(LOOK_AGAIN_MS, look);
      }
    });
  }

  function finish(): void {
    if (returned) return;
    returned = true;
    const leftMs = boundMs - elapsedMs();
    if (leftMs <= 0) world.tally.atBound++;
    else world.tally.ahead++;
    promise(Math.max(0, leftMs), leftMs <= 0 ? "at the bound" : "ahead of the bound");
  }

  function promise(aheadMs: number, how: string): void {
    const effectiveMs = world.events.nowMs + aheadMs / host.rate;
    // Whoever was stopped meanwhile could not have returned any earlier.
    if (host.stops === stops) {
      const slowest = mode === "strict" ? "slowestStrictMs" : "slowestAvailableMs";
      world.tally[slowest] = Math.max(world.tally[slowest], effectiveMs - awaited.fromTrueMs);
    }
    world.trace(replica.name, `promises ${awaited.entity} (${mode}) ${how}, from ${effectiveMs.toFixed(1)} on`);
    world.checker.promise({ entity: awaited.entity, stamp: awaited.stamp, effectiveMs });
  }
}

function boundOf(replica: Replica, mode: RevocationMode): number {
  const { world } = replica;
  if (!world.on("available-bound")) return effectBoundMs("strict");
  return world.on("bound-rates") ? effectBoundMs(mode) : trustMs[mode];
}

function takenEffect(replica: Replica, done: ChangeId, mode: RevocationMode, roster: Roster): boolean {
  const { world } = replica;
  const settled = world.on("timeline-settles") ? roster.settled : { strict: true, available: true };
  const judged = world.on("lapsed-row-counts") ? mode : "strict";
  if (judged !== mode && !settled[mode]) return false;
  if (world.on("own-timeline")) return hasTakenEffect(done, judged, { ...roster, settled });
  const published = (position: Position | undefined): Position | undefined =>
    position && { ...position, timeline: done.timeline };
  const members = roster.members.map((member) => ({ ...member, published: published(member.published) }));
  return hasTakenEffect(done, judged, { timeline: done.timeline, settled, members });
}

/** The members of the earlier reading, with what they have published since. */
function among(roster: Roster, early: Roster): Member[] {
  return roster.members.filter(({ id }) => early.members.some((member) => member.id === id));
}

function readRoster(replica: Replica, done: (roster: Roster | undefined) => void): void {
  const { world, host } = replica;
  const sentMs = host.monotonicMs;
  world.postgres.send(
    host,
    1000,
    (server) =>
      server.inRecovery
        ? undefined
        : {
            timeline: server.timeline,
            settled: server.db.timelines.get(server.timeline) ?? { strict: false, available: false },
            rows: Array.from(server.db.members, ([id, row]) => ({
              id,
              ...row,
              expired: row.expireMs <= server.clockMs,
            })),
          },
    (read) => {
      if (read === undefined) {
        done(undefined);
        return;
      }
      const unrenewed = replica.rows.observe(read.rows, { sentMs, answeredMs: host.monotonicMs });
      world.redis.published(host, (published) => {
        const members = read.rows.map((row) => ({
          id: row.id,
          unrenewedForMs: world.on("lapse-by-own-clock")
            ? (unrenewed.get(row.id) ?? 0) * (world.on("lapse-rates") ? 1 : 1.05)
            : row.expired
              ? waited(ROW_MS)
              : 0,
          published: further(row.published, published?.get(row.id)),
        }));
        done({ timeline: read.timeline, settled: read.settled, members });
      });
    },
  );
}

function further(stored: Position | undefined, told: Position | undefined): Position | undefined {
  if (stored === undefined || told === undefined) return stored ?? told;
  return hasSeenAll(told, stored) || told.timeline > stored.timeline ? told : stored;
}

function hint(replica: Replica, entity: string): void {
  const { world, host } = replica;
  if (world.on("tombstones") && entity.startsWith("key")) world.redis.bury(host, entity);
  if (!world.redis.up || !host.reaches.redis) return;
  replica.pollNow();
  for (const other of world.replicas) {
    const times = world.prng.chance(world.hintLoss) ? 0 : world.prng.chance(0.05) ? 2 : 1;
    for (let time = 0; time < times; time++) {
      world.events.after(
        world.latencyMs(),
        other.host.binding(() => {
          if (other.host.reaches.redis) other.pollNow();
        }),
      );
    }
  }
}

function modeOf(replica: Replica, modes: readonly KeyspaceMode[]): RevocationMode {
  const { world } = replica;
  const known = world.on("strict-settles") ? modes : modes.map(({ mode }) => ({ mode, settled: true }));
  if (world.on("weakest-mode")) return weakestMode(known);
  return known.some((keyspace) => weakestMode([keyspace]) === "strict") ? "strict" : "available";
}

function prepare(transaction: OpenTransaction, edit: Edit, mode: RevocationMode, server: Server): void {
  const { entity: id, allows, requestId } = edit;
  const version = (server.db.entities.get(id)?.version ?? 0) + 1;
  const { timeline, xid } = transaction;
  transaction.write = (db) => {
    const before = db.entities.get(id);
    db.entities.set(id, {
      ...before,
      version,
      stamp: transaction.stamp,
      allows,
      ...(edit.mode === undefined || edit.mode === before?.mode ? {} : { mode: edit.mode, settled: false }),
    });
    db.feed.push({ id, version, xid });
    db.requests.set(requestId, { change: { timeline, xid }, stamp: transaction.stamp, entity: id, mode });
  };
}
