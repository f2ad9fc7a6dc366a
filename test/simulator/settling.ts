import type { RevocationMode } from "../../src/coherence/mode.ts";
import type { Db } from "./postgres.ts";

export interface Unsettled {
  readonly name: string;
  readonly has: Record<RevocationMode, boolean>;
  readonly settle: (db: Db, settled: Record<RevocationMode, boolean>) => void;
}

/** What nobody has noted as old enough yet: the timeline, and keyspaces that were given another mode. Versions mean something on one timeline only. */
export function unsettledOf(db: Db, timeline: string): Unsettled[] {
  const unsettled: Unsettled[] = [];
  const has = db.timelines.get(timeline) ?? { strict: false, available: false };
  if (!has.available) {
    unsettled.push({ name: timeline, has, settle: (at, settled) => at.timelines.set(timeline, settled) });
  }
  for (const [id, { mode, settled, version }] of db.entities) {
    if (mode === undefined || settled === true) continue;
    unsettled.push({
      name: `${timeline}/${id}@${version}`,
      has: { strict: true, available: false },
      settle(at) {
        const entity = at.entities.get(id);
        if (entity?.version === version) at.entities.set(id, { ...entity, settled: true });
      },
    });
  }
  return unsettled;
}
