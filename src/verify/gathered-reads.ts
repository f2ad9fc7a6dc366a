/** Reads of many keys that go as few. */
export interface GatheredReads<Value> {
  /**
   * What is at `key`. Joins only a read that is sent after this call, so that it sees all that was there before. Rejects with
   * what `overflow` makes where too many wait already, and with what the read failed with.
   */
  read(key: string): Promise<Value>;
  /** Whether a read is under way. */
  readonly busy: boolean;
}

interface Options<Value> {
  readonly readMany: (keys: readonly string[]) => Promise<(key: string) => Value>;
  /** Reads under way at the same time. More keys make the reads larger, and leave what they read from to others as well. */
  readonly readsMax: number;
  /** Keys in one read. */
  readonly batchMax: number;
  /** How long to rest after each read, in milliseconds: with `batchMax` it bounds how many keys are read in a second. */
  readonly restMs?: number;
  /** Keys that wait; without a limit where the callers are bounded by themselves. */
  readonly waitingMax?: number;
  readonly overflow?: () => Error;
}

/** Reads all that is wanted in one turn of the event loop at once, and while `readsMax` reads are under way, all that comes meanwhile. */
export function gatherReads<Value>(options: Options<Value>): GatheredReads<Value> {
  const { readMany, readsMax, batchMax, restMs = 0, waitingMax = Number.POSITIVE_INFINITY, overflow } = options;
  let waiting = new Map<string, PromiseWithResolvers<Value>>();
  let reads = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || reads >= readsMax || waiting.size === 0) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      void send(takeBatch());
      schedule();
    });
  }

  function takeBatch() {
    if (waiting.size <= batchMax) {
      const all = waiting;
      waiting = new Map();
      return all;
    }
    const all = [...waiting];
    waiting = new Map(all.slice(batchMax));
    return new Map(all.slice(0, batchMax));
  }

  async function send(batch: ReturnType<typeof takeBatch>): Promise<void> {
    reads += 1;
    try {
      const valueAt = await readMany([...batch.keys()]);
      for (const [key, { resolve }] of batch) resolve(valueAt(key));
    } catch (error) {
      for (const { reject } of batch.values()) reject(error);
    } finally {
      if (restMs === 0) finish();
      else setTimeout(finish, restMs);
    }
  }

  function finish(): void {
    reads -= 1;
    schedule();
  }

  return {
    read(key) {
      const joined = waiting.get(key);
      if (joined !== undefined) return joined.promise;
      if (waiting.size >= waitingMax && overflow !== undefined) return Promise.reject(overflow());
      const flight = Promise.withResolvers<Value>();
      waiting.set(key, flight);
      schedule();
      return flight.promise;
    },
    get busy() {
      return reads > 0;
    },
  };
}
