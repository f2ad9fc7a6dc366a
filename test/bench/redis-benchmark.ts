import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findProgram } from "../harness/debian-program.ts";
import type { Turn } from "./contest.ts";

const CLIENTS = 64;
const KEYS = 10_000;

/** About what is kept of a key. */
const VALUE_BYTES = 512;

/** Requests in a second of a turn: redis-benchmark is told how many to make, not how long to go on. */
const REQUESTS_PER_SECOND = 50_000;

/** GETs of different keys, each on its own, by the Redis at `url`. Throws where there is no redis-benchmark. */
export async function openRedisBenchmark(url: string): Promise<Turn> {
  const program = await findProgram(["redis-benchmark", "valkey-benchmark"], "redis-server");
  if (program === undefined) throw new Error("there is no redis-benchmark");
  const { hostname, port } = new URL(url);
  const measure = async (test: "get" | "set", requests: number) => {
    const { stdout } = await promisify(execFile)(
      program.path,
      [
        ...["-h", hostname, "-p", port, "-c", `${CLIENTS}`, "-t", test, "-q", "--csv"],
        ...["-n", `${requests}`, "-r", `${KEYS}`, "-d", `${VALUE_BYTES}`],
      ],
      { env: program.env },
    );
    const perSecond = new RegExp(`"${test}","([\\d.]+)"`, "i").exec(stdout)?.[1];
    if (perSecond === undefined) throw new Error(stdout);
    return Number(perSecond);
  };
  await measure("set", 10 * KEYS);
  return (seconds) => measure("get", seconds * REQUESTS_PER_SECOND);
}
