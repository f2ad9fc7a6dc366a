import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askOnce, compete, type Service, startFloor, startService, type Turn } from "../contest.ts";
import type { Load, Loader } from "../load.ts";
import { BATCH, connectBinary, connectJson, grpcBatch, grpcVerify, mustBeValid, type Speech } from "../requests.ts";
import { type Row, ratioRow } from "../row.ts";

const FLOOR = { 1: "floors/http1-floor.ts", 2: "floors/http2-floor.ts" } as const;

/** S1: Verify over gRPC. The service's own keys come from Postgres, one read for each turn of its event loop: it has no cache yet. */
export async function overGrpc(run: Loader): Promise<readonly Row[]> {
  const memory = await inMemory(run, grpcVerify);
  const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
  const postgres = await contest(run, grpcVerify, {
    lean: () => startService("servers/postgres-server.ts", "lean", join(folder, "lean")),
    stock: () => startService("servers/postgres-server.ts", "stock", join(folder, "stock")),
  });
  await rm(folder, { recursive: true, force: true });
  const row = "S1";
  const inPostgres = "gRPC Verify, each turn reads Postgres";
  return [
    ratioRow({
      row,
      what: "gRPC Verify, keys in memory, of the floor",
      rates: memory,
      of: "lean",
      to: "floor",
      aim: 0.75,
    }),
    ratioRow({
      row,
      what: "gRPC Verify, keys in memory, of the stock handler",
      rates: memory,
      of: "lean",
      to: "stock",
      aim: 6,
    }),
    ratioRow({ row, what: `${inPostgres}, of the floor`, rates: postgres, of: "lean", to: "floor" }),
    ratioRow({ row, what: `${inPostgres}, of the stock handler`, rates: postgres, of: "lean", to: "stock" }),
  ];
}

/** S2: Verify over HTTP/1.1. */
export async function overHttp1(run: Loader): Promise<readonly Row[]> {
  const binary = await inMemory(run, connectBinary);
  const json = await inMemory(run, connectJson);
  const row = "S2";
  const inBinary = "Connect Verify, binary, HTTP/1.1, keys in memory";
  const inJson = "Connect Verify, JSON, HTTP/1.1, keys in memory";
  return [
    ratioRow({ row, what: `${inBinary}, of the floor`, rates: binary, of: "lean", to: "floor", aim: 0.45 }),
    ratioRow({ row, what: `${inBinary}, of the stock handler`, rates: binary, of: "lean", to: "stock" }),
    ratioRow({ row, what: `${inJson}, of the floor`, rates: json, of: "lean", to: "floor" }),
    ratioRow({ row, what: `${inJson}, of the stock handler`, rates: json, of: "lean", to: "stock" }),
  ];
}

/** S3: verifies in batches against verifies one by one. */
export async function batches(run: Loader): Promise<readonly Row[]> {
  await using server = await startService("servers/verify-server.ts", "lean");
  const { work } = server;
  const batch = grpcBatch.load(server.url, work);
  mustBeValid(grpcBatch.verdicts(await askOnce(batch)), BATCH);
  const single = grpcVerify.load(server.url, work);
  const rates = await compete({
    "one by one": (seconds) => run(single, seconds),
    "in batches": async (seconds) => BATCH * (await run(batch, seconds)),
  });
  const what = `verifies by BatchVerify of ${BATCH}, keys in memory, of S1's`;
  return [ratioRow({ row: "S3", what, rates, of: "in batches", to: "one by one", aim: 8 })];
}

type Start = () => Promise<Service>;

function inMemory(run: Loader, speech: Speech) {
  return contest(run, speech, {
    lean: () => startService("servers/verify-server.ts", "lean"),
    stock: () => startService("servers/verify-server.ts", "stock"),
  });
}

/** The floor, which answers as much as the first contestant does, and these. */
async function contest<Name extends string>(
  run: Loader,
  speech: Speech,
  starts: Readonly<Record<Name, Start>>,
): Promise<Record<Name | "floor", number>> {
  await using stack = new AsyncDisposableStack();
  const loads: [name: string, load: Load, answer: Buffer][] = [];
  for (const [name, start] of Object.entries<Start>(starts)) {
    const { url, work } = stack.use(await start());
    const load = speech.load(url, work);
    const answer = await askOnce(load);
    mustBeValid(speech.verdicts(answer), 1);
    loads.push([name, load, answer]);
  }
  const [first] = loads;
  if (first === undefined) throw new Error("nobody takes part");
  const [, load, answer] = first;
  const message = load.http === 2 ? answer.subarray(5) : answer;
  const floor = stack.use(await startFloor(FLOOR[load.http], message.toString("hex")));
  const atFloor = { ...load, url: `${floor.url}${new URL(load.url).pathname}` };
  const turns = loads.map(([name, one]): [string, Turn] => [name, (seconds) => run(one, seconds)]);
  const rates = await compete({ floor: (seconds) => run(atFloor, seconds), ...Object.fromEntries(turns) });
  return rates as Record<Name | "floor", number>;
}
