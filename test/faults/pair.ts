import { timestampMs } from "@bufbuild/protobuf/wkt";
import { until } from "../harness/until.ts";
import { type Node, openNode } from "./node.ts";
import type { Place } from "./place.ts";
import { verifyRequest } from "./raw-verify.ts";
import type { Mode } from "./targets.ts";

/** Two replicas without a Redis, and what is done with a key of theirs. */
export interface Pair extends AsyncDisposable {
  readonly a: Node;
  readonly b: Node;
  /** A key that works. */
  makeKey(mode: Mode): Promise<PairKey>;
  /** What a Verify that begins now is told, in one word: an outcome, or a failure's code. */
  verifyAt(node: Node, key: PairKey): Promise<string>;
  /** Revokes at a node, and resolves once the time has come that it was told. */
  revokeAt(node: Node, key: PairKey): Promise<void>;
}

export interface PairKey {
  readonly keyId: string;
  readonly request: Buffer;
}

export interface PairOptions {
  readonly databaseUrl: string;
  readonly env: Readonly<Record<string, string>>;
  readonly place: Place;
  /** What to run instead of the service. */
  readonly argv?: readonly string[] | undefined;
}

/** A row is looked after each 5 s, and a busy machine takes its time. */
const LEASE_MS_MAX = 30_000;

/** Both run already, and may answer from their caches. */
export async function openPair({ databaseUrl, env, place, argv }: PairOptions): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const open = async (name: string) =>
    stack.use(
      await openNode({
        ...{ name, databaseUrl, env, redisPort: undefined, token: place.token },
        ...(argv !== undefined && { argv }),
      }),
    );
  const [a, b] = [await open("A"), await open("B")];
  await Promise.all([a.start(), b.start()]);
  await Promise.all([holdsLease(a), holdsLease(b)]);
  const kept = stack.move();
  return {
    a,
    b,
    async makeKey(mode) {
      const keyspaceId = place.keyspaceIds[mode];
      const made = await a.clavis?.keys.create({ keyspaceId, displayName: mode });
      if (made === undefined) throw new Error("A is dead");
      return { keyId: made.key.id, request: verifyRequest(place.token, keyspaceId, made.secret) };
    },
    verifyAt: (node, { request }) =>
      new Promise((resolve) => {
        const sent = node.lines?.ask(request, (result) =>
          resolve("outcome" in result ? result.outcome : result.failure),
        );
        if (sent !== true) resolve("not sent");
      }),
    async revokeAt(node, { keyId }) {
      const { effectiveTime } = (await node.clavis?.keys.revoke(keyId)) ?? {};
      if (effectiveTime === undefined) throw new Error(`${node.name} is dead`);
      await until("its time has come", () => Date.now() > timestampMs(effectiveTime));
    },
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}

export async function holdsLease(node: Node): Promise<void> {
  await until(`${node.name} holds a lease`, async () => (await node.figure("clavis_cache_leased")) === 1, LEASE_MS_MAX);
}
