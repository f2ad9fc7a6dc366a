import { openBenchPostgres } from "../bench-postgres.ts";
import { compete, startProgram, startService } from "../contest.ts";
import type { Loader } from "../load.ts";
import { openRepeatedScript } from "../repeated-script.ts";
import { grpcCreateKey } from "../requests.ts";
import { type Row, ratioRow } from "../row.ts";
import { CONNECTIONS } from "../servers/server-environment.ts";
import { type Message, scriptOf } from "../statements.ts";

/**
 * S10: CreateKey, each with a `request_id` of its own, against pgbench sending what the service was seen to send, in as many round
 * trips, over as many connections, to the same server. pgbench need not look up the caller's secret, and prepares all statements.
 */
export async function createKey(run: Loader): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await openBenchPostgres());
  const recorder = await startProgram<[readonly Message[], readonly Message[]]>("servers/create-key-recorder.ts", url);
  await recorder[Symbol.asyncDispose]();
  const script = stack.use(await openRepeatedScript(url, scriptOf(recorder.told)));
  const clavis = stack.use(await startService("servers/clavis-server.ts", url, "1", ""));
  const load = grpcCreateKey(clavis.url, clavis.work);
  const rates = await compete({
    clavis: (seconds) => run(load, seconds),
    [script.name]: (seconds: number) => script.run(CONNECTIONS, seconds),
  });
  return [
    ratioRow({
      row: "S10",
      what: "CreateKey, audit and change feed, of a script with the same statements",
      rates,
      of: "clavis",
      to: script.name,
      aim: 0.5,
    }),
  ];
}
