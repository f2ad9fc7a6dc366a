import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askOnce, type Contestant, compete, startContestant } from "./contest.ts";
import type { Loader } from "./load.ts";
import { BATCH, connectBinary, connectJson, grpcBatch, grpcVerify, mustBeValid, type Speech } from "./requests.ts";

/** One line of the table. `ratio` is what the aim is about; null if there is none. */
export interface Row {
  readonly row: string;
  readonly what: string;
  readonly ratio: number;
  readonly aim: number | null;
  readonly met: boolean | null;
  /** Answers per second of each who took part. They say something about each other alone. */
  readonly detail: Readonly<Record<string, number>>;
}

/** Each by its name in the design. */
export const rows: Readonly<Record<string, (run: Loader) => Promise<readonly Row[]>>> = { S1: s1, S2: s2, S3: s3 };

const FLOOR = { 1: "floors/http1-floor.ts", 2: "floors/http2-floor.ts" } as const;

/** Verify over gRPC. The service's own keys come from Postgres, one read for each turn of its event loop: it has no cache yet. */
async function s1(run: Loader): Promise<readonly Row[]> {
  const memory = await inMemory(run, grpcVerify);
  const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
  const postgres = await contest(run, grpcVerify, [
    ["lean, Postgres", () => startContestant("servers/postgres-server.ts", "lean", join(folder, "lean"))],
    ["stock, Postgres", () => startContestant("servers/postgres-server.ts", "stock", join(folder, "stock"))],
  ]);
  await rm(folder, { recursive: true, force: true });
  return [
    rowOf("S1", "gRPC Verify, keys in memory, of the floor", memory, "lean", "floor", 0.75),
    rowOf("S1", "gRPC Verify, keys in memory, of the stock handler", memory, "lean", "stock", 6),
    rowOf("S1", "gRPC Verify, each turn reads Postgres, of the floor", postgres, "lean, Postgres", "floor", null),
    rowOf(
      "S1",
      "gRPC Verify, each turn reads Postgres, of the stock handler",
      postgres,
      "lean, Postgres",
      "stock, Postgres",
      null,
    ),
  ];
}

/** Verify over HTTP/1.1. */
async function s2(run: Loader): Promise<readonly Row[]> {
  const binary = await inMemory(run, connectBinary);
  const json = await inMemory(run, connectJson);
  return [
    rowOf("S2", "Connect Verify, binary, HTTP/1.1, keys in memory, of the floor", binary, "lean", "floor", 0.45),
    rowOf(
      "S2",
      "Connect Verify, binary, HTTP/1.1, keys in memory, of the stock handler",
      binary,
      "lean",
      "stock",
      null,
    ),
    rowOf("S2", "Connect Verify, JSON, HTTP/1.1, keys in memory, of the floor", json, "lean", "floor", null),
    rowOf("S2", "Connect Verify, JSON, HTTP/1.1, keys in memory, of the stock handler", json, "lean", "stock", null),
  ];
}

/** Verifies in batches against verifies one by one. */
async function s3(run: Loader): Promise<readonly Row[]> {
  await using server = await startContestant("servers/verify-server.ts", "lean");
  const { work } = server;
  if (work === undefined) throw new Error("the server has nothing to verify");
  const loads = [grpcVerify, grpcBatch].map((speech) => speech.load(server.url, work));
  mustBeValid(grpcBatch.verdicts(await askOnce(loads[1] as (typeof loads)[number])), BATCH);
  const [single = 0, batches = 0] = await compete(run, loads);
  const detail = { "one by one": single, [`batches of ${BATCH}`]: batches * BATCH };
  return [
    rowOf("S3", "verifies by BatchVerify, keys in memory, of S1's", detail, `batches of ${BATCH}`, "one by one", 8),
  ];
}

type Entry = readonly [name: string, start: () => Promise<Contestant>];

function inMemory(run: Loader, speech: Speech): Promise<Record<string, number>> {
  return contest(run, speech, [
    ["lean", () => startContestant("servers/verify-server.ts", "lean")],
    ["stock", () => startContestant("servers/verify-server.ts", "stock")],
  ]);
}

/** The floor, which answers as much as the first contestant does, and these. */
async function contest(run: Loader, speech: Speech, entries: readonly Entry[]): Promise<Record<string, number>> {
  await using stack = new AsyncDisposableStack();
  const loads = [];
  let answer: Buffer = Buffer.alloc(0);
  for (const [, start] of entries) {
    const { url, work } = stack.use(await start());
    if (work === undefined) throw new Error("the server has nothing to verify");
    const load = speech.load(url, work);
    answer = await askOnce(load);
    mustBeValid(speech.verdicts(answer), 1);
    loads.push(load);
  }
  const [first] = loads;
  if (first === undefined) throw new Error("nobody takes part");
  const message = first.http === 2 ? answer.subarray(5) : answer;
  const floor = stack.use(await startContestant(FLOOR[first.http], message.toString("hex")));
  const atFloor = { ...first, url: `${floor.url}${new URL(first.url).pathname}` };
  const rates = await compete(run, [atFloor, ...loads]);
  return Object.fromEntries(
    ["floor", ...entries.map(([name]) => name)].map((name, index) => [name, rates[index] ?? 0]),
  );
}

function rowOf(
  row: string,
  what: string,
  detail: Record<string, number>,
  of: string,
  to: string,
  aim: number | null,
): Row {
  const ratio = (detail[of] ?? 0) / (detail[to] ?? 0);
  return { row, what, ratio, aim, met: aim === null ? null : ratio >= aim, detail };
}
