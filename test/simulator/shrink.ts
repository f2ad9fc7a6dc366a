import type { Guard } from "./guards.ts";
import { type Course, type Outcome, walk } from "./walk.ts";

const SEEDS_TRIED = 15;

/** Looks for a smaller course on which something revoked is admitted as well: fewer faults, replicas, SDKs, less time. */
export function shrink(failed: Outcome, without: Guard | undefined): { course: Course; seed: number } {
  let found = { course: failed.course, seed: failed.seed };
  for (let smaller = true; smaller; ) {
    smaller = false;
    for (const course of smallerThan(found.course)) {
      const seed = failingSeed(course, found.seed, without);
      if (seed === undefined) continue;
      found = { course, seed };
      smaller = true;
      break;
    }
  }
  return found;
}

function failingSeed(course: Course, first: number, without: Guard | undefined): number | undefined {
  for (let seed = first; seed < first + SEEDS_TRIED; seed++) {
    if (walk(seed, { course, ...(without === undefined ? {} : { without }) }).violations.length > 0) return seed;
  }
  return undefined;
}

function smallerThan(course: Course): Course[] {
  const fewerFaults = course.faults.map((fault) => ({
    ...course,
    faults: course.faults.filter((one) => one !== fault),
  }));
  const calmer = (["slow", "late", "freezeBeforeCommit", "drift"] as const)
    .filter((name) => course[name] > 0)
    .map((name) => ({ ...course, [name]: 0 }));
  return [
    ...(course.sdks > 0 ? [{ ...course, sdks: course.sdks - 1 }] : []),
    ...(course.replicas > 1 ? [{ ...course, replicas: course.replicas - 1 }] : []),
    ...(course.edits.length > 1 ? [{ ...course, edits: ["key" as const] }] : []),
    ...(course.modes.length > 1 ? course.modes.map((mode) => ({ ...course, modes: [mode] })) : []),
    ...fewerFaults,
    ...calmer,
    ...(course.durationMs > 2000 ? [{ ...course, durationMs: course.durationMs / 2 }] : []),
  ];
}
