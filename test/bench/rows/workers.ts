import { availableParallelism } from "node:os";
import { type ServiceProcess, startServiceProcess } from "../../harness/service-process.ts";
import { openBenchPostgres } from "../bench-postgres.ts";
import { askOnce, compete, startService } from "../contest.ts";
import type { Load, Loader } from "../load.ts";
import { grpcVerify, mustBeValid } from "../requests.ts";
import { type Row, ratioRow } from "../row.ts";
import { serverEnvironment } from "../servers/server-environment.ts";
import type { Work } from "../servers/work.ts";

/** Two workers, and one for the load. */
const CORES_MIN = 3;

/** S15: two workers against one, each as an operator starts them. Where the load has no core to itself there is nothing to aim at. */
export async function workers(run: Loader): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await openBenchPostgres());
  const maker = await startService("servers/clavis-server.ts", url, "1", "");
  await maker[Symbol.asyncDispose]();
  const one = await loadOn(stack, url, maker.work, 1);
  const two = await loadOn(stack, url, maker.work, 2);
  const rates = await compete({
    "one worker": (seconds) => run(one, seconds),
    "two workers": (seconds) => run(two, seconds),
  });
  const free = availableParallelism() >= CORES_MIN;
  const what = `gRPC Verify, two workers, of one${free ? "" : ": no core is free for the load"}`;
  return [ratioRow({ row: "S15", what, rates, of: "two workers", to: "one worker", ...(free && { aim: 1.6 }) })];
}

async function loadOn(stack: AsyncDisposableStack, url: string, work: Work, count: number): Promise<Load> {
  const { environment } = serverEnvironment(url);
  const service = await startServiceProcess({ ...environment, CLAVIS_WORKERS: String(count) });
  stack.defer(() => stop(service));
  const load = grpcVerify.load(service.url, work);
  mustBeValid(grpcVerify.verdicts(await askOnce(load)), 1);
  return load;
}

/** Politely, so that its workers end with it. */
async function stop(service: ServiceProcess): Promise<void> {
  service.signal("SIGTERM");
  await service.exited;
}
