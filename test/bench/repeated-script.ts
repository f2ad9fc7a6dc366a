import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findInstalled } from "../harness/debian-program.ts";
import type { Parameter, Script } from "./statements.ts";

/** Runs a script again and again. */
export interface RepeatedScript extends AsyncDisposable {
  /** `pgbench`, or what stands in for it. */
  readonly name: string;
  /** Runs per second of so many clients. Throws if any failed. */
  run(clients: number, seconds: number): Promise<number>;
}

const run = promisify(execFile);

/** By `pgbench` where it is installed, and otherwise by a floor of our own. Either prepares each statement once. */
export async function openRepeatedScript(url: string, script: Script): Promise<RepeatedScript> {
  const folder = await mkdtemp(join(tmpdir(), "clavis-script-"));
  const pgbench = await findInstalled(["pgbench"]);
  const runner =
    pgbench === undefined ? await ownRunner(folder, url, script) : await pgbenchRunner(pgbench, folder, url, script);
  return { ...runner, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

type Runner = Pick<RepeatedScript, "name" | "run">;

/** Threads of pgbench itself: with two it is never what one waits for. */
const THREADS_MAX = 2;

async function pgbenchRunner(path: string, folder: string, url: string, script: Script): Promise<Runner> {
  const file = join(folder, "script.sql");
  const { text, variables } = toPgbench(script);
  await writeFile(file, text);
  let runs = 0;
  return {
    name: "pgbench",
    async run(clients, seconds) {
      runs += 1;
      const threads = Math.min(clients, THREADS_MAX);
      const all = Object.entries({ n: "0", run: String(runs), ...variables });
      const { stdout } = await run(path, [
        ...["-n", "-M", "prepared", "-c", `${clients}`, "-j", `${threads}`, "-T", `${seconds}`, "-f", file],
        ...all.flatMap(([name, value]) => ["-D", `${name}=${value}`]),
        url,
      ]);
      const perSecond = /tps = ([\d.]+)/.exec(stdout)?.[1];
      if (perSecond === undefined || !/failed transactions: 0 /.test(stdout)) throw new Error(stdout);
      return Number(perSecond);
    },
  };
}

/** The script in pgbench's language. What is fresh grows from run to run, as the service's own ids do: that spares indexes. */
function toPgbench(script: Script): { text: string; variables: Readonly<Record<string, string>> } {
  const variables: Record<string, string> = {};
  const lines = ["\\set n :n + 1", "\\set id (:run * 1000 + :client_id) * 1000000000 + :n"];
  const trips = script.flatMap((trip) => {
    const statements = trip.map(
      ({ text, parameters }) =>
        `${text.replaceAll(/\s+/g, " ").replaceAll(/\$(\d+)/g, (_, digits) => written(parameters[Number(digits) - 1]))};`,
    );
    return trip.length > 1 ? ["\\startpipeline", ...statements, "\\endpipeline"] : statements;
  });
  return { text: `${[...lines, ...trips].join("\n")}\n`, variables };

  function written(parameter: Parameter | undefined): string {
    if (parameter === undefined) throw new Error("a statement has more parameters than values");
    if ("fresh" in parameter) {
      const number = String(parameter.number).padStart(8, "0");
      return parameter.fresh === "digest"
        ? `sha256(('${number}' || :id::text)::bytea)`
        : `(lpad(to_hex(:id::bigint), 24, '0') || '${number}')::uuid`;
    }
    if ("random" in parameter) {
      const name = `r${lines.length}`;
      lines.push(`\\set ${name} random(1, ${parameter.random})`);
      return `:${name}`;
    }
    if (parameter.value === null) return "null";
    const name = `v${Object.keys(variables).length}`;
    variables[name] = parameter.value;
    return `:${name}`;
  }
}

async function ownRunner(folder: string, url: string, script: Script): Promise<Runner> {
  const file = join(folder, "script.json");
  await writeFile(file, JSON.stringify(script));
  return {
    name: "a floor of pg with prepared statements (pgbench is not installed)",
    async run(clients, seconds) {
      const program = join(import.meta.dirname, "floors/script-floor.ts");
      const { stdout } = await run(process.execPath, [program, url, file, String(clients), String(seconds)]);
      return Number(stdout);
    },
  };
}
