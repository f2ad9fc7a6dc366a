import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClavis, Outcome } from "@clavis/sdk";
import { monotonicSeconds } from "../../../src/time.ts";
import { startServiceProcess } from "../../harness/service-process.ts";
import { openBenchPostgres } from "../bench-postgres.ts";
import { askOnce, startService } from "../contest.ts";
import { aKey, grpcVerify, mustBeValid } from "../requests.ts";
import { type Row, timeRow } from "../row.ts";
import { serverEnvironment } from "../servers/server-environment.ts";

const STARTS = 5;

/** S13: from the start of the process, as an operator starts it, to the first key that it calls valid. */
export async function start(): Promise<readonly Row[]> {
  const row = "S13";
  return [
    timeRow({
      row,
      what: "start to first verdict, server, on a database that is there",
      seconds: await server(),
      aim: 1.5,
    }),
    timeRow({
      row,
      what: "start to first key made and verified, embedded, fresh folder",
      seconds: await embedded(),
      aim: 5,
    }),
  ];
}

async function server(): Promise<readonly number[]> {
  await using postgres = await openBenchPostgres();
  const maker = await startService("servers/clavis-server.ts", postgres.url, "1", "");
  await maker[Symbol.asyncDispose]();
  const { work } = maker;
  const { environment } = serverEnvironment(postgres.url);
  const seconds: number[] = [];
  while (seconds.length < STARTS) {
    const took = await timeToAnswer(environment, async (url) => {
      mustBeValid(grpcVerify.verdicts(await askOnce(grpcVerify.load(url, work))), 1);
    });
    seconds.push(took);
  }
  return seconds;
}

async function embedded(): Promise<readonly number[]> {
  const seconds: number[] = [];
  while (seconds.length < STARTS) {
    const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
    const dataDir = join(folder, "data");
    const environment = { CLAVIS_DATA_DIR: dataDir, CLAVIS_LISTEN: "127.0.0.1:0", CLAVIS_METRICS_LISTEN: "off" };
    seconds.push(await timeToAnswer(environment, (url) => makeAndVerify(url, dataDir)));
    await rm(folder, { recursive: true });
  }
  return seconds;
}

async function makeAndVerify(baseUrl: string, dataDir: string): Promise<void> {
  const token = (await readFile(join(dataDir, "management-key"), "utf8")).trim();
  await using clavis = createClavis({ baseUrl, token });
  const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
  const { secret } = await clavis.keys.create(aKey({ keyspaceId: keyspace.id }));
  const { outcome, message } = await clavis.verify({ keyspaceId: keyspace.id, secret });
  if (outcome !== Outcome.VALID) throw new Error(`not what was to be measured: ${message}`);
}

/** Seconds from the start of a process until `ask` has its answer. */
async function timeToAnswer(
  environment: Readonly<Record<string, string>>,
  ask: (url: string) => Promise<void>,
): Promise<number> {
  const began = monotonicSeconds();
  const service = await startServiceProcess(environment);
  await ask(service.url);
  const took = monotonicSeconds() - began;
  service.signal("SIGTERM");
  await service.exited;
  return took;
}
