import type { Timeline } from "../coherence/position.ts";
import { deriveKey, type RootKey } from "../root-keys.ts";
import { createMac } from "./mac.ts";

/**
 * What things are called in Redis. The only place where names are made. They begin with what only this deployment's root key
 * gives, so that several deployments may share a Redis, and tell nothing of what they stand for.
 */
export interface Names {
  /** Of a shared reading: 22 characters that stand for digest and timeline. */
  tagOf(timeline: Timeline, digest: string): string;
  /** The name for such a tag. `r1` is the format of what is there. */
  ofReading(tag: string): string;
  /** Where a member publishes its position. In a Cluster all of them are on one node, and read at once. */
  ofMember(memberId: string): string;
  /** Where it is announced that there is something new. Also a name on the node that announces. */
  readonly announcements: string;
  /** Where it is told that a position was published. */
  readonly positions: string;
}

const DEPLOYMENT_LENGTH = 11;
const TAG_LENGTH = 22;

export function createNames(rootKey: RootKey): Names {
  const mac = createMac(deriveKey(rootKey, "redis-names"));
  const prefix = `clavis:${mac.of("deployment").slice(0, DEPLOYMENT_LENGTH)}:`;
  return {
    tagOf: (timeline, digest) => mac.of(`reading ${timeline} ${digest}`).slice(0, TAG_LENGTH),
    ofReading: (tag) => `${prefix}r1:${tag}`,
    ofMember: (memberId) => `${prefix}{members}:${memberId}`,
    announcements: `${prefix}announcements`,
    positions: `${prefix}positions`,
  };
}
