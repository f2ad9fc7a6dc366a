import { type Audit, createAudit } from "./audit.ts";
import { createCall } from "./call.ts";
import { createKeys, type Keys } from "./keys.ts";
import { createKeyspaces, type Keyspaces } from "./keyspaces.ts";
import type { Link } from "./link.ts";
import type { ClientConfig } from "./options.ts";
import { type Runtime, systemRuntime } from "./runtime.ts";
import { createSelf, type Self } from "./self.ts";
import { createTenants, type Tenants } from "./tenants.ts";
import { createVerifier, type Verifier } from "./verify.ts";

/**
 * A client of one Clavis service. Every method rejects with a `ClavisError` and nothing else, and may be called any number
 * of times at once; one client serves a whole process.
 */
export interface Clavis extends Verifier, AsyncDisposable {
  readonly keyspaces: Keyspaces;
  readonly keys: Keys;
  readonly self: Self;
  readonly tenants: Tenants;
  readonly audit: Audit;
  /** Ends the connections. Calls under way and later ones fail with `CLIENT_CLOSED`. May be repeated. */
  close(): Promise<void>;
}

/** A client over `link`, which it closes with itself. */
export function createClavisOver(link: Link, config: ClientConfig, runtime: Runtime = systemRuntime): Clavis {
  const { token, timeoutMs, verifyTimeoutMs, attemptsMax } = config;
  const closing = new AbortController();
  const timeouts = { management: timeoutMs, verify: verifyTimeoutMs };
  const call = createCall({ link, token, timeouts, attemptsMax, closing: closing.signal, runtime });

  async function close(): Promise<void> {
    closing.abort();
    link.close();
  }

  return {
    ...createVerifier(call),
    keyspaces: createKeyspaces(call),
    keys: createKeys(call),
    self: createSelf(call),
    tenants: createTenants(call),
    audit: createAudit(call),
    close,
    [Symbol.asyncDispose]: close,
  };
}
