import type { VerifyRecord } from "@clavis/sdk/rules";
import type { JsonObject } from "../json.ts";

/** What a verdict rests on, and the facts that travel with it. */
export interface KnownSecret {
  readonly record: VerifyRecord;
  readonly facts: VerifiedKey;
  /** Of a management key: the keyspaces that its permissions are held to; empty for all. */
  readonly allowedKeyspaceIds: readonly string[];
  readonly imported: boolean;
}

/** What the verifier learns of a key. */
export interface VerifiedKey {
  readonly keyId: string;
  readonly keyspaceId: string;
  readonly ownerId: string;
  readonly displayName: string;
  readonly permissions: readonly string[];
  readonly metadata: JsonObject;
}

/** Where secrets are known by SHA-256, in hexadecimal digits. */
export interface SecretStore {
  /**
   * Those of `digests` that are known. A digest has one answer at most within a tenant, but several tenants may have imported the
   * same one; then the elder key comes first. Sees all that was committed before the call. Throws STORE_UNAVAILABLE.
   */
  findAll(digests: readonly string[]): Promise<ReadonlyMap<string, readonly KnownSecret[]>>;
}

/** The same, asked for one at a time. */
export interface RecordSource {
  find(digest: string): Promise<readonly KnownSecret[]>;
}

/** Reads at the same time. A flood of forged secrets makes these few reads larger, and leaves the other connections to everybody else. */
export const READS_MAX = 4;

/** Digests in one read. What is beyond waits for the next. */
const BATCH_MAX = 500;

/**
 * Asks the store for all that is wanted in one turn of the event loop at once, and while `READS_MAX` reads are under way, for all
 * that came meanwhile. Who asks joins only a read that is sent afterwards, so that it sees all that was committed before.
 */
export function createRecordSource(store: SecretStore): RecordSource {
  let waiting = new Map<string, PromiseWithResolvers<readonly KnownSecret[]>>();
  let reads = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || reads >= READS_MAX || waiting.size === 0) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      void read(takeBatch());
      schedule();
    });
  }

  function takeBatch() {
    const all = [...waiting];
    waiting = new Map(all.slice(BATCH_MAX));
    return all.slice(0, BATCH_MAX);
  }

  async function read(batch: ReturnType<typeof takeBatch>): Promise<void> {
    reads += 1;
    try {
      const known = await store.findAll(batch.map(([digest]) => digest));
      for (const [digest, { resolve }] of batch) resolve(known.get(digest) ?? []);
    } catch (error) {
      for (const [, { reject }] of batch) reject(error);
    } finally {
      reads -= 1;
      schedule();
    }
  }

  return {
    find(digest) {
      const joined = waiting.get(digest);
      if (joined !== undefined) return joined.promise;
      const flight = Promise.withResolvers<readonly KnownSecret[]>();
      waiting.set(digest, flight);
      schedule();
      return flight.promise;
    },
  };
}
