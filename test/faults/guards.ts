import { join } from "node:path";
import { type Rules, soundRules } from "../../src/coherence/rules.ts";

/** The rules that can be taken out, and what is left then. */
const guards = {
  /** Caches answer for however long nothing was heard from Postgres. */
  lease: { leaseLeftMs: () => 1 },
  /** What was changed since it was read answers as well. */
  floors: { believes: () => true },
  /** Nobody waits for what others have applied. */
  roster: { hasTakenEffect: () => true },
  /** Nobody waits for leases to end. */
  bound: { effectBoundMs: () => 0 },
  /** What was trimmed unseen is taken for seen. */
  trimmed: { readPoll: (last, answer) => soundRules.readPoll(last, { ...answer, trimmed: undefined }) },
  /** A new history is taken for the old one going on. */
  timeline: {
    readPoll: (last, answer) => soundRules.readPoll(last && { ...last, timeline: answer.timeline }, answer),
  },
  /** Trusts what it knows though nobody can know of it. */
  membership: { trustFrom: ({ timeline, began }) => ({ timeline, pollBegan: began }) },
  /** Keys of strict keyspaces stand in as well. */
  mode: { mayDegrade: () => true },
} satisfies Record<string, Partial<Rules>>;

export type Guard = keyof typeof guards;

export function isGuard(name: string): name is Guard {
  return name in guards;
}

export function weakened(guard: Guard): Rules {
  return { ...soundRules, ...guards[guard] };
}

/** What to run for a service without that guard. */
export function argvWithout(guard: Guard): readonly string[] {
  return [join(import.meta.dirname, "weakened-main.ts"), guard];
}
