import { startBoundProcess, startOnFreePort } from "./bound-process.ts";
import { findProgram } from "./debian-program.ts";
import { sayMissing } from "./missing.ts";
import { openTemporaryFolder } from "./temporary-folder.ts";

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
}

/**
 * A Redis or Valkey of one's own, empty. The one that `TEST_REDIS_URL` names instead, if it does, is shared with
 * whoever else uses it.
 *
 * Undefined if there is none to be had, which is said loudly; an error where `REQUIRE_REDIS=1`.
 */
export async function openRedis(): Promise<TestRedis | undefined> {
  const given = process.env.TEST_REDIS_URL;
  if (given) return { url: given, async [Symbol.asyncDispose]() {} };
  const program = await findProgram(["valkey-server", "redis-server"], "redis-server");
  if (program === undefined) return sayMissing("Redis", "REQUIRE_REDIS");

  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await openTemporaryFolder());
  const port = await startOnFreePort(async (candidate) => {
    const listening = ["--bind", "127.0.0.1", "--port", `${candidate}`];
    const args = [...listening, "--save", "", "--appendonly", "no", "--dir", folder.path];
    stack.use(await startBoundProcess({ program, args, folder: folder.path, ready: /Ready to accept connections/ }));
    return candidate;
  });
  const kept = stack.move();
  return { url: `redis://127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}
