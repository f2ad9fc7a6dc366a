import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askOnce, compete, type Service, startFloor, startService, type Turn } from "../contest.ts";
import type { Load, Loader } from "../load.ts";
import { BATCH, connectBinary, connectJson, grpcBatch, grpcVerify, mustBeValid, type Speech } from "../requests.ts";
import { type Row, ratioRow } from "../row.ts";

const HTTP1_FLOOR = { floor: "floors/http1-floor.ts" };
const HTTP2_FLOOR = { floor: "floors/http2-floor.ts" };
const GRPC_JS = { "grpc-js, constant": "floors/grpc-js-floor.ts" };

/** S1: Verify over gRPC, of keys in a map, and by the whole service, which has them in its cache. */
export async function overGrpc(run: Loader): Promise<readonly Row[]> {
  const memory = await inMemory(run, grpcVerify, { ...HTTP2_FLOOR, ...GRPC_JS });
  const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
  const whole = await contest(run, grpcVerify, HTTP2_FLOOR, {
    lean: () => startService("servers/postgres-server.ts", "lean", join(folder, "lean")),
    stock: () => startService("servers/postgres-server.ts", "stock", join(folder, "stock")),
  });
  await rm(folder, { recursive: true, force: true });
  const row = "S1";
  const wholeService = "gRPC Verify, the whole service, keys in its cache";
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
    ratioRow({ row, what: `${wholeService}, of the floor`, rates: whole, of: "lean", to: "floor", aim: 0.75 }),
    ratioRow({ row, what: `${wholeService}, of the stock handler`, rates: whole, of: "lean", to: "stock", aim: 6 }),
  ];
}

/** S2: Verify over HTTP/1.1. */
export async function overHttp1(run: Loader): Promise<readonly Row[]> {
  const binary = await inMemory(run, connectBinary, HTTP1_FLOOR);
  const json = await inMemory(run, connectJson, HTTP1_FLOOR);
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

/** The program of each. */
type Floors = { readonly floor: string } & Readonly<Record<string, string>>;

function inMemory(run: Loader, speech: Speech, floors: Floors) {
  return contest(run, speech, floors, {
    lean: () => startService("servers/verify-server.ts", "lean"),
    stock: () => startService("servers/verify-server.ts", "stock"),
  });
}

/** The floors, which answer as much as the first service does, and the services. */
async function contest<Name extends string>(
  run: Loader,
  speech: Speech,
  floors: Floors,
  starts: Readonly<Record<Name, Start>>,
): Promise<Record<Name | "floor", number>> {
  await using stack = new AsyncDisposableStack();
  const services: [name: string, load: Load][] = [];
  let message = "";
  for (const [name, start] of Object.entries<Start>(starts)) {
    const { url, work } = stack.use(await start());
    const load = speech.load(url, work);
    const answer = await askOnce(load);
    mustBeValid(speech.verdicts(answer), 1);
    message ||= (load.http === 2 ? answer.subarray(5) : answer).toString("hex");
    services.push([name, load]);
  }
  const [, like] = services[0] as [string, Load];
  const constant: [name: string, load: Load][] = [];
  for (const [name, program] of Object.entries(floors)) {
    const { url } = stack.use(await startFloor(program, message));
    const load = { ...like, url: `${url}${new URL(like.url).pathname}` };
    mustBeValid(speech.verdicts(await askOnce(load)), 1);
    constant.push([name, load]);
  }
  const turns = [...constant, ...services].map(([name, load]): [string, Turn] => [
    name,
    (seconds) => run(load, seconds),
  ]);
  return (await compete(Object.fromEntries(turns))) as Record<Name | "floor", number>;
}
