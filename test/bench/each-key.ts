import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { askOnce, type Service, startService } from "./contest.ts";
import type { Load } from "./load.ts";
import { grpcVerify, grpcVerifyEach, mustBeValid } from "./requests.ts";

/**
 * The least that the cache of secrets can have, several hundred keys. Where many more are asked for in turn, each has gone by the time
 * that it is asked for again; the caller's own key, which each call needs, stays.
 */
export const SMALL_CACHE = ["CLAVIS_CACHE_MEGABYTES=1"];

interface Options {
  /** Of the database. */
  readonly url: string;
  /** For the file with the secrets. */
  readonly folder: string;
  readonly keys: number;
  /** Variables of the service's environment. */
  readonly settings?: readonly string[];
  /** Verifies under way on each of the load's connections. */
  readonly streams?: number;
}

/** Starts the service with so many keys, and gives the load that has them verified in turn. */
export async function startEach(
  stack: AsyncDisposableStack,
  options: Options,
): Promise<{ readonly service: Service; readonly load: Load }> {
  const { url, folder, keys, settings = [], streams = 16 } = options;
  const file = join(folder, randomUUID());
  const service = stack.use(await startService("servers/clavis-server.ts", url, String(keys), file, ...settings));
  mustBeValid(grpcVerify.verdicts(await askOnce(grpcVerify.load(service.url, service.work))), 1);
  return { service, load: grpcVerifyEach(service.url, service.work, file, streams) };
}
