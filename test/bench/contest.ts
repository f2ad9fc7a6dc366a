import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:http2";
import { join } from "node:path";
import type { Load, Loader } from "./load.ts";
import type { Work } from "./servers/work.ts";

/** A server in a process of its own, with what there is to ask of it if it is no floor. */
export interface Contestant extends AsyncDisposable {
  readonly url: string;
  readonly work: Work | undefined;
}

/** Starts a program of this folder, which says where it answers. */
export async function startContestant(program: string, ...args: readonly string[]): Promise<Contestant> {
  const child: ChildProcess = fork(join(import.meta.dirname, program), args);
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`${program} ended with ${String(code)}`);
  });
  const [told] = (await Promise.race([once(child, "message"), gone])) as [{ url: string; work?: Work }];
  gone.catch(() => {});
  return {
    url: told.url,
    work: told.work,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      // So that a Postgres that it has started ends with it.
      child.kill("SIGTERM");
      await ended;
    },
  };
}

const WARM_UP_SECONDS = 2;
const ROUND_SECONDS = 4;
const ROUNDS = 3;

/** Answers per second of each, in the order given: each warmed up, then in turns (A B A B), the median of their rounds. */
export async function compete(run: Loader, loads: readonly Load[]): Promise<readonly number[]> {
  for (const load of loads) await run(load, WARM_UP_SECONDS);
  const rates = loads.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, load] of loads.entries()) rates[index]?.push(await run(load, ROUND_SECONDS));
  }
  return rates.map(median);
}

/** The body of one answer. */
export async function askOnce(load: Load): Promise<Buffer> {
  const chunks: Buffer[] = [];
  if (load.http === 1) {
    const req = request(load.url, { method: "POST", headers: load.headers }).end(load.body);
    const [res] = (await once(req, "response")) as [NodeJS.ReadableStream];
    for await (const chunk of res) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }
  const session = connect(load.url);
  const stream = session.request({ ":method": "POST", ":path": new URL(load.url).pathname, ...load.headers });
  stream.end(load.body);
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  session.destroy();
  return Buffer.concat(chunks);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
