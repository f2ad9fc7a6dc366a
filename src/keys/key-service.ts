import type { Transactor } from "../changes/transactor.ts";
import type { NewId } from "../ids.ts";
import type { PageTokens } from "../page-token.ts";
import type { NewSecret } from "../secret.ts";
import type { Clock } from "../time.ts";
import { createKeyChanges, type KeyChanges } from "./key-changes.ts";
import { createKeyIssuance, type KeyIssuance } from "./key-issuance.ts";
import { createKeyQueries, type KeyQueries } from "./key-queries.ts";
import { createKeyRevocation, type KeyRevocation } from "./key-revocation.ts";

/** The whole life of keys. Failures are those that `key_service.proto` names. */
export interface KeyService extends KeyIssuance, KeyChanges, KeyRevocation, KeyQueries {}

interface Parts {
  readonly transactor: Transactor;
  readonly pageTokens: PageTokens;
  readonly newId: NewId;
  readonly newSecret: NewSecret;
  readonly clock: Clock;
}

export function createKeyService(parts: Parts): KeyService {
  return {
    ...createKeyIssuance(parts),
    ...createKeyChanges(parts),
    ...createKeyRevocation(parts),
    ...createKeyQueries(parts),
  };
}
