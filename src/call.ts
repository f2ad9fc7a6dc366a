import type { Principal } from "./access/principal.ts";
import type { Rights } from "./access/rights.ts";

/** The facts of one call that travel with it. */
export interface Call {
  /** Correlates answer, logs and audit events. */
  readonly id: string;
  readonly principal: Principal;
  /** What the principal could do when the call arrived. Enough to read by; changes look again in their transaction. */
  readonly rights: Rights;
  /** The address that the call came from; empty where the service itself acts. */
  readonly address: string;
  readonly userAgent: string;
  /** Aborts when the caller has gone or its deadline has passed. */
  readonly signal: AbortSignal;
}
