import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Clavis, ClavisError } from "@clavis/sdk";
import { createPrng, type Prng } from "../harness/prng.ts";
import { count, runNodeFaults, runRedisFaults } from "./fault-schedule.ts";
import { type Node, openNode } from "./node.ts";
import { makePlace, newKeyspace } from "./place.ts";
import { type VerifyResult, verifyRequest } from "./raw-verify.ts";
import { openSharedRedis } from "./shared-redis.ts";
import { createTargets, type Kind, type Mode, type Target } from "./targets.ts";

export interface RevocationRunOptions {
  /** Decides on faults and on what is taken away when. */
  readonly seed: number;
  readonly seconds: number;
  /** Of these, without a fault. */
  readonly calmMs: number;
  readonly databaseUrl: string;
  readonly env: Readonly<Record<string, string>>;
  /** Ends Postgres without notice and starts it again. Gives where it is then. */
  readonly crashPostgres?: () => Promise<string>;
  /** Verifies that each replica is sent per second. */
  readonly perSecond: number;
  /** What to run instead of the service. */
  readonly argv?: readonly string[];
  readonly say?: (line: string) => void;
}

export interface RevocationReport {
  readonly verifies: number;
  readonly takings: number;
  /** Takings after whose time some Verify was answered. */
  readonly judged: number;
  /** How takings were told: within their wait, or with a time ahead. */
  readonly told: Readonly<Record<"held" | "ahead", number>>;
  readonly replays: number;
  readonly violations: readonly string[];
  /** Verifies of live keys at replicas that were well, and how many were told VALID. */
  readonly live: {
    readonly asked: number;
    readonly valid: number;
    readonly otherwise: Readonly<Record<string, number>>;
  };
  /** Milliseconds from asking for it to the answer, where all replicas were well. */
  readonly healthyMs: { readonly count: number; readonly p50: number; readonly p99: number };
  /** The time that the answer gave where one asking was enough, as Unix milliseconds: of keys of strict keyspaces, at a revoker that was well. */
  readonly strictTimes: ReadonlyMap<string, number>;
  readonly faults: Readonly<Record<string, number>>;
}

const NODES = ["A", "B", "C"];
const modes: readonly Mode[] = ["strict", "available"];

/** Live keys of each mode. */
const LIVE = 30;
const TAKERS = 6;

/** What a killed, frozen or disconnected service's callers see. */
const UNKNOWN = new Set(["UNREACHABLE", "STORE_UNAVAILABLE", "DEADLINE_EXCEEDED"]);

/** A replica that is back answers all again after so long: it has to hear from Postgres, over connections that it makes anew. */
const RECOVERY_MS = 3_000;

/** Between faults, for figures of good days. */
const WELL_MS = 1_000;

/** A dead replica's row counts on for so long, and makes all wait. */
const DEAD_ROW_MS = 80_000;

const TICK_MS = 2;
const TURN_MS = 1;

/**
 * Three replicas under load, while rights are taken away at random, and replicas and Redis fail at random. Each Verify is held
 * against what the answers to the takings said: none that began after such a time may be told that its key is valid.
 */
export async function runRevocations(options: RevocationRunOptions): Promise<RevocationReport> {
  const { seed, seconds, calmMs, databaseUrl, env, crashPostgres, perSecond, argv, say = () => {} } = options;
  await using stack = new AsyncDisposableStack();
  const place = await makePlace(databaseUrl, env);
  const redis = await openSharedRedis();
  if (redis !== undefined) stack.use(redis);
  const nodes: Node[] = [];
  for (const name of NODES) {
    const options = { name, databaseUrl, redisPort: redis?.port, env, token: place.token };
    nodes.push(stack.use(await openNode({ ...options, ...(argv !== undefined && { argv }) })));
  }
  await Promise.all(nodes.map((node) => node.start()));
  let lastKillMs = Number.NEGATIVE_INFINITY;

  const targets = createTargets();
  const over = new AbortController();
  const counts = { verifies: 0, takings: 0, held: 0, ahead: 0, replays: 0, asked: 0, valid: 0 };
  const otherwise = new Map<string, number>();
  const faults = new Map<string, number>();
  const violations: string[] = [];
  const healthyMs: number[] = [];
  const strictTimes = new Map<string, number>();
  const startMs = performance.now();
  const sayWhen = (line: string) => say(`${((performance.now() - startMs) / 1000).toFixed(1)} s ${line}`);

  const creation = createPrng(seed + 1);
  for (const mode of modes) {
    for (let index = 0; index < LIVE; index++) targets.add(await make(creation, mode));
  }

  const failed = Promise.withResolvers<never>();
  const crew = [
    fail(),
    ...nodes.map((node, index) => putLoadOn(node, createPrng(seed + 10 + index))),
    ...Array.from({ length: TAKERS }, (_, index) => takeAway(createPrng(seed + 100 + index))),
  ];
  for (const one of crew) one.catch(failed.reject);
  await Promise.race([delay(seconds * 1000), failed.promise]);
  over.abort();
  await Promise.all(crew);

  healthyMs.sort((one, other) => one - other);
  const quantile = (share: number) => healthyMs[Math.floor(share * healthyMs.length)] ?? 0;
  return {
    verifies: counts.verifies,
    takings: counts.takings,
    judged: targets.taken.filter(({ refusals }) => refusals > 0).length,
    told: { held: counts.held, ahead: counts.ahead },
    replays: counts.replays,
    violations,
    live: { asked: counts.asked, valid: counts.valid, otherwise: Object.fromEntries(otherwise) },
    healthyMs: { count: healthyMs.length, p50: quantile(0.5), p99: quantile(0.99) },
    strictTimes,
    faults: Object.fromEntries(faults),
  };

  /** First all are well for a while. */
  async function fail(): Promise<void> {
    await delay(calmMs, undefined, { signal: over.signal }).catch(() => {});
    const parts = { nodes, redis, crashPostgres, say: sayFault, signal: over.signal, counts: faults };
    await Promise.all([runNodeFaults(createPrng(seed), parts), runRedisFaults(createPrng(seed + 2), parts)]);
  }

  function sayFault(line: string): void {
    if (line.endsWith("kill -9")) lastKillMs = performance.now();
    sayWhen(line);
  }

  async function putLoadOn(node: Node, prng: Prng): Promise<void> {
    let due = performance.now();
    while (!over.signal.aborted) {
      const now = performance.now();
      // What was missed while this process had other things to do is not made up for.
      due = Math.max(due, now - 10 * TICK_MS);
      for (; due <= now; due += 1000 / perSecond) {
        const target = targets.pick(prng);
        if (target !== undefined) ask(node, target);
      }
      await delay(TICK_MS);
    }
  }

  function ask(node: Node, target: Target): void {
    const wasWell = node.isWell(RECOVERY_MS);
    const beganMs = performance.now();
    node.lines?.ask(target.request, (result) => judge(node, target, beganMs, wasWell, result));
  }

  function judge(node: Node, target: Target, beganMs: number, wasWell: boolean, result: VerifyResult): void {
    const said = "outcome" in result ? result.outcome : result.failure;
    if (said !== "broken") counts.verifies++;
    if (beganMs > target.goneMs && "outcome" in result) {
      target.refusals++;
      if (said === "VALID") {
        const late = `${(beganMs - target.goneMs).toFixed(1)} ms after its time`;
        const { kind, mode, keyId } = target;
        violations.push(`${keyId} (${kind}, ${mode}) was VALID at ${node.name} for a Verify that began ${late}`);
        sayWhen(`VIOLATION ${violations.at(-1)}`);
      }
    }
    if (target.takenMs === undefined && wasWell && node.isWell(RECOVERY_MS)) {
      counts.asked++;
      if (said === "VALID") counts.valid++;
      else count(otherwise, said);
    }
  }

  async function takeAway(prng: Prng): Promise<void> {
    while (!over.signal.aborted) {
      await delay(prng.below(300));
      const target = targets.take(prng);
      if (target === undefined) continue;
      // Everyone has it at hand when it goes.
      for (const node of nodes) ask(node, target);
      const requestId = randomUUID();
      const maxWait = prng.chance(0.7) ? undefined : { milliseconds: prng.below(1_000) };
      const renewal = await take(prng, target, requestId, maxWait);
      if (renewal === undefined) continue;
      counts.takings++;
      if (prng.chance(0.2)) {
        counts.replays++;
        await take(prng, target, requestId, maxWait);
      }
      targets.add(await make(prng, target.mode));
    }
  }

  /** Asks replicas for it, in no order, until one has answered. Undefined if the run is over before. */
  async function take(
    prng: Prng,
    target: Target,
    requestId: string,
    maxWait: MaxWait | undefined,
  ): Promise<true | undefined> {
    for (let attempt = 1; ; attempt++) {
      const node = prng.pick(nodes);
      const wereWell = nodes.every((one) => one.isWell(WELL_MS));
      const wasWell = node.isWell(RECOVERY_MS);
      const askedMs = performance.now();
      const effectiveWallMs = await known(() => end(node, target, requestId, maxWait));
      if (effectiveWallMs === undefined) {
        if (over.signal.aborted) return undefined;
        await delay(50);
        continue;
      }
      const answeredMs = performance.now();
      const effectiveMs = answeredMs + effectiveWallMs - Date.now();
      const goneMs = Math.max(answeredMs, effectiveMs);
      const isFirst = attempt === 1 && target.goneMs === Number.POSITIVE_INFINITY;
      target.goneMs = Math.min(target.goneMs, goneMs);
      const held = effectiveMs <= answeredMs;
      counts[held ? "held" : "ahead"]++;
      probe(target, goneMs);
      const isWell = wasWell && node.isWell(RECOVERY_MS);
      if (isFirst && isWell && target.mode === "strict" && target.kind !== "keyspace")
        strictTimes.set(target.keyId, effectiveWallMs);
      const allWell = wereWell && nodes.every((one) => one.isWell(WELL_MS));
      if (held && allWell && askedMs - lastKillMs > DEAD_ROW_MS) healthyMs.push(answeredMs - askedMs);
      return true;
    }
  }

  /** Asks everyone just after its time. */
  function probe(target: Target, goneMs: number): void {
    const inMs = goneMs - performance.now();
    const askAll = () => {
      for (const node of nodes) ask(node, target);
    };
    if (inMs <= 0) askAll();
    else setTimeout(askAll, inMs + TURN_MS).unref();
  }

  async function make(prng: Prng, mode: Mode): Promise<Target> {
    const kind = prng.pick<Kind>(["revoke", "revoke", "revoke", "disable", "rotate", "keyspace"]);
    for (;;) {
      const { clavis } = prng.pick(nodes);
      const target = clavis && (await known(() => makeAt(clavis, kind, mode)));
      if (target !== undefined) return target;
      await delay(50);
    }
  }

  async function makeAt(clavis: Clavis, kind: Kind, mode: Mode): Promise<Target> {
    const keyspaceId = kind === "keyspace" ? await newKeyspace(clavis, mode) : place.keyspaceIds[mode];
    const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: kind });
    const request = verifyRequest(place.token, keyspaceId, secret);
    const fresh = { takenMs: undefined, goneMs: Number.POSITIVE_INFINITY, refusals: 0 };
    return { kind, mode, keyId: key.id, keyspaceId, secret, request, ...fresh };
  }
}

interface MaxWait {
  readonly milliseconds: number;
}

/** Takes the target's right away, and gives the time from which on that holds. */
async function end(
  { clavis }: Node,
  { kind, keyId, keyspaceId }: Target,
  requestId: string,
  maxWait: MaxWait | undefined,
): Promise<number | undefined> {
  if (clavis === undefined) return undefined;
  const options = { requestId, ...(maxWait !== undefined && { maxWait }) };
  const ends = {
    revoke: () => clavis.keys.revoke(keyId, options),
    disable: () => clavis.keys.disable(keyId, options),
    rotate: () => clavis.keys.rotate(keyId, options),
    keyspace: () => clavis.keyspaces.update(keyspaceId, { disabled: true }, options),
  };
  const { effectiveTime } = await ends[kind]();
  return timestampMs(effectiveTime);
}

/** Undefined where nobody knows whether it has happened. */
async function known<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ClavisError && UNKNOWN.has(error.reason)) return undefined;
    throw error;
  }
}
