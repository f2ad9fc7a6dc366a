import type { UnixMs } from "../time.ts";

/** The isolation boundary: one company or team that uses this deployment. */
export interface Tenant {
  readonly id: string;
  readonly displayName: string;
  readonly suspended: boolean;
  /** Where its management keys are. */
  readonly managementKeyspaceId: string;
  /** Grows with each change. */
  readonly version: number;
  readonly createTime: UnixMs;
  readonly updateTime: UnixMs;
}
