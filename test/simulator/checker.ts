import type { CachedRecord } from "./postgres.ts";

/** What holds: from `effectiveMs` on, nothing may be admitted by an `entity` that lacks the write `stamp`. */
export interface Obligation {
  readonly entity: string;
  readonly stamp: number;
  readonly effectiveMs: number;
}

export interface Violation {
  readonly by: string;
  readonly keyId: string;
  readonly startedMs: number;
  readonly obligation: Obligation;
}

/** Sees all, in true time: what each RPC promised, and what was admitted. */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #obligations = new Map<string, Obligation[]>();
  readonly #lost = new Set<number>();
  admitted = 0;
  readonly #promised: (obligation: Obligation) => void;

  constructor(promised: (obligation: Obligation) => void) {
    this.#promised = promised;
  }

  promise(obligation: Obligation): void {
    if (this.#lost.has(obligation.stamp)) return;
    const known = this.#obligations.get(obligation.entity) ?? [];
    this.#obligations.set(obligation.entity, [...known, obligation]);
    this.#promised(obligation);
  }

  /** A lossy failover took these writes back, and nothing can hold for them. */
  lose(stamps: readonly number[]): void {
    for (const stamp of stamps) this.#lost.add(stamp);
    for (const [entity, known] of this.#obligations) {
      this.#obligations.set(
        entity,
        known.filter(({ stamp }) => !this.#lost.has(stamp)),
      );
    }
  }

  /** A Verify that started at `startedMs` was answered with VALID by what `record` says. */
  admit(by: string, startedMs: number, record: CachedRecord): void {
    this.admitted++;
    record.entities.forEach(({ id }, index) => {
      const had = record.stamps[index] ?? 0;
      const broken = this.#obligations
        .get(id)
        ?.find(({ stamp, effectiveMs }) => stamp > had && effectiveMs < startedMs);
      if (broken !== undefined) this.violations.push({ by, keyId: record.keyId, startedMs, obligation: broken });
    });
  }
}
