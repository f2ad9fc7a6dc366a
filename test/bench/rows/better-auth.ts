import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openBenchPostgres } from "../bench-postgres.ts";
import { compete, startProgram } from "../contest.ts";
import { SMALL_CACHE, startEach } from "../each-key.ts";
import { lookupsOf, mustComeFrom } from "../layers.ts";
import type { Loader } from "../load.ts";
import { type Row, ratioRow } from "../row.ts";

/** Of each, on one Postgres. All are verified in turn. */
const KEYS = 10_000;

const PEER = "peers/better-auth";

/**
 * S16: as many keys on the same Postgres, each asked for one permission. Clavis is asked over gRPC from another process; the peer is
 * called within its own, which is the best case for it.
 */
export async function againstBetterAuth(run: Loader): Promise<readonly Row[]> {
  await install();
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "clavis-bench-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const { url, ownerUrl } = stack.use(await openBenchPostgres());
  const peer = stack.use(await startProgram(`${PEER}/peer.js`, ownerUrl, String(KEYS)));
  const warm = await startEach(stack, { url, folder, keys: KEYS });
  const cold = await startEach(stack, { url, folder, keys: KEYS, settings: SMALL_CACHE });
  const since = await lookupsOf(cold.service);
  const rates = await compete({
    warm: (seconds) => run(warm.load, seconds),
    cold: (seconds) => run(cold.load, seconds),
    "Better Auth": (seconds) => peer.ask<number>(seconds),
  });
  await mustComeFrom("postgres", cold.service, since);
  const against = { row: "S16", rates, to: "Better Auth" } as const;
  return [
    ratioRow({
      ...against,
      what: "gRPC Verify, the same keys again, of Better Auth's verifyApiKey",
      of: "warm",
      aim: 20,
    }),
    ratioRow({ ...against, what: "gRPC Verify, no key in a cache, of Better Auth's verifyApiKey", of: "cold", aim: 3 }),
  ];
}

/** What only this row needs comes on first use, as its lock file has it. */
async function install(): Promise<void> {
  const cwd = join(import.meta.dirname, "..", PEER);
  const [installed, locked] = await Promise.all(
    ["node_modules/.package-lock.json", "package-lock.json"].map((name) => modifiedAt(join(cwd, name))),
  );
  if (installed !== undefined && locked !== undefined && installed >= locked) return;
  await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd });
}

async function modifiedAt(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
