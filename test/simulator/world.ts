import type { Prng } from "../harness/prng.ts";
import type { Checker } from "./checker.ts";
import type { Events } from "./events.ts";
import type { Guard } from "./guards.ts";
import type { SimPostgres } from "./postgres.ts";
import type { SimRedis } from "./redis.ts";
import type { Replica } from "./replica.ts";
import type { Sdk } from "./sdk.ts";

/** All that there is in a walk. */
export interface World {
  readonly events: Events;
  readonly prng: Prng;
  readonly checker: Checker;
  readonly postgres: SimPostgres;
  readonly redis: SimRedis;
  readonly replicas: readonly Replica[];
  readonly sdks: readonly Sdk[];
  readonly tally: Tally;
  /** How likely it is that a hint does not arrive. */
  readonly hintLoss: number;
  /** Whether a guard is in force. */
  on(guard: Guard): boolean;
  /** How long something takes on the network this time. */
  readonly latencyMs: () => number;
  /** The key, and what else decides about it. */
  entitiesOf(keyId: string): readonly string[];
  /** The keyspaces whose keys an entity decides about. */
  keyspacesOf(entity: string): readonly string[];
  nextId(): number;
  trace(who: string, what: string): void;
}

/** Counts what happened, so that a walk cannot pass because nothing did. */
export interface Tally {
  verifies: number;
  fromCache: number;
  fromSdkCache: number;
  degraded: number;
  unavailable: number;
  changes: number;
  early: number;
  atBound: number;
  ahead: number;
  anew: number;
  /** In true time, from the answer to COMMIT to the effective time, where the revoker was not itself stopped in between. */
  slowestStrictMs: number;
  slowestAvailableMs: number;
}
