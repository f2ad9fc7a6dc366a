import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:http2";
import { join } from "node:path";
import type { Load } from "./load.ts";
import type { Work } from "./servers/work.ts";

/** A server in a process of its own. */
export interface Contestant extends AsyncDisposable {
  readonly url: string;
}

/** One that is no floor: there is something to ask of it. */
export interface Service extends Contestant {
  readonly work: Work;
  /** Where its metrics are, if it is the whole service on a database that is there. */
  readonly operationsUrl?: string;
}

/** Starts a floor of this folder. */
export async function startFloor(program: string, ...args: readonly string[]): Promise<Contestant> {
  const { told, ...running } = await startProgram<Omit<Contestant, keyof AsyncDisposable>>(program, ...args);
  return { ...running, ...told };
}

/** Starts a service of this folder. */
export async function startService(program: string, ...args: readonly string[]): Promise<Service> {
  const { told, ...running } = await startProgram<Omit<Service, keyof AsyncDisposable>>(program, ...args);
  return { ...running, ...told };
}

/** A process of its own that talks with us. */
export interface Program<Told> extends AsyncDisposable {
  /** What it told first. */
  readonly told: Told;
  /** Tells it something, and resolves with what it has to say to that. */
  ask<Answer>(question: unknown): Promise<Answer>;
}

/** Starts a program of this folder, and resolves when it has told something. */
export async function startProgram<Told>(program: string, ...args: readonly string[]): Promise<Program<Told>> {
  const child: ChildProcess = fork(join(import.meta.dirname, program), args);
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`${program} ended with ${String(code)}`);
  });
  gone.catch(() => {});
  const hear = async () => (await Promise.race([once(child, "message"), gone]))[0];
  return {
    told: (await hear()) as Told,
    async ask<Answer>(question: unknown) {
      child.send(question as string);
      return (await hear()) as Answer;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
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

/** Works for so long, and gives the answers per second. */
export type Turn = (seconds: number) => Promise<number>;

/** Answers per second of each: each warmed up, then in turns (A B A B), the median of their rounds. */
export async function compete<Name extends string>(turns: Readonly<Record<Name, Turn>>): Promise<Record<Name, number>> {
  const entries = Object.entries<Turn>(turns);
  for (const [, turn] of entries) await turn(WARM_UP_SECONDS);
  const rates = Object.fromEntries(entries.map(([name]) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, turn] of entries) rates[name]?.push(await turn(ROUND_SECONDS));
  }
  return Object.fromEntries(entries.map(([name]) => [name, median(rates[name] ?? [])])) as Record<Name, number>;
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

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
