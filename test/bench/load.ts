import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Variation } from "./bodies.ts";
import { bundledLoad } from "./bundled-client.ts";

/** The same request again and again, but for what `variation` writes into its body. */
export interface Load {
  readonly url: string;
  readonly http: 1 | 2;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly variation?: Variation;
  /** What the message of a good answer over HTTP/2 begins with; h2load looks at the HTTP status alone. */
  readonly expected: Buffer;
  readonly connections: number;
  /** Requests under way at the same time on each connection. */
  readonly streams: number;
}

/** Puts load on a server for some time. Comes back with the answers per second; throws if any was not a good one. */
export type Loader = (load: Load, seconds: number) => Promise<number>;

/** h2load where it is installed and all bodies are the same, and otherwise a client in a process of its own. */
export function findLoader(folder: string): { readonly name: string; readonly run: Loader } {
  const { stdout, status } = spawnSync("h2load", ["--version"], { encoding: "utf8" });
  if (status !== 0) return { name: "the bundled client (h2load is not installed)", run: bundledLoad };
  return {
    name: `${stdout.trim()}, and from the bundled client where bodies differ`,
    run: (load, seconds) => (load.variation === undefined ? h2load(folder, load, seconds) : bundledLoad(load, seconds)),
  };
}

async function h2load(folder: string, load: Load, seconds: number): Promise<number> {
  const file = join(folder, "body");
  writeFileSync(file, load.body);
  const headers = Object.entries(load.headers).flatMap((pair) => ["-H", pair.join(": ")]);
  const size = ["-c", String(load.connections), "-m", String(load.streams), "-t", "1"];
  const http = load.http === 1 ? ["--h1"] : [];
  const { stdout } = await promisify(execFile)("h2load", [
    ...[...http, ...size, "-D", String(seconds), "-d", file, ...headers],
    load.url,
  ]);
  const perSecond = /([\d.]+) req\/s/.exec(stdout)?.[1];
  const failed = /(\d+) failed, (\d+) errored/.exec(stdout)?.slice(1).map(Number) ?? [1];
  const refused = /(\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(stdout)?.slice(1).map(Number) ?? [1];
  if (perSecond === undefined || [...failed, ...refused].some((count) => count > 0)) throw new Error(stdout);
  return Number(perSecond);
}
