import { effectBoundMs, hasTakenEffect } from "./early-return.ts";
import type { Horizon, ReadRecord } from "./horizon.ts";
import { degradedLeftMs, leaseLeftMs, trustFrom } from "./lease.ts";
import { renew } from "./membership.ts";
import { mayDegrade } from "./mode.ts";
import { readPoll } from "./poll.ts";

/** What a replica decides by. Fault tests take out one at a time, and have to find out. */
export interface Rules {
  readonly readPoll: typeof readPoll;
  readonly trustFrom: typeof trustFrom;
  readonly renew: typeof renew;
  readonly leaseLeftMs: typeof leaseLeftMs;
  readonly degradedLeftMs: typeof degradedLeftMs;
  readonly mayDegrade: typeof mayDegrade;
  readonly hasTakenEffect: typeof hasTakenEffect;
  readonly effectBoundMs: typeof effectBoundMs;
  readonly believes: (horizon: Horizon, record: ReadRecord) => boolean;
}

export const soundRules: Rules = {
  readPoll,
  trustFrom,
  renew,
  leaseLeftMs,
  degradedLeftMs,
  mayDegrade,
  hasTakenEffect,
  effectBoundMs,
  believes: (horizon, record) => horizon.believes(record),
};
