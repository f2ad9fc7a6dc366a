import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openBenchPostgres } from "../bench-postgres.ts";
import { askOnce, compete, startProgram, startService } from "../contest.ts";
import type { Loader } from "../load.ts";
import { grpcVerify, grpcVerifyEach, mustBeValid } from "../requests.ts";
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
  const file = join(folder, "secrets");
  const clavis = stack.use(await startService("servers/clavis-server.ts", url, String(KEYS), file));
  const peer = stack.use(await startProgram(`${PEER}/peer.js`, ownerUrl, String(KEYS)));
  mustBeValid(grpcVerify.verdicts(await askOnce(grpcVerify.load(clavis.url, clavis.work))), 1);

  const load = grpcVerifyEach(clavis.url, clavis.work, file);
  const rates = await compete({
    clavis: (seconds) => run(load, seconds),
    "Better Auth": (seconds) => peer.ask<number>(seconds),
  });
  // Each turn of its event loop reads Postgres: it has no cache yet, and warm is as cold.
  const against = { row: "S16", rates, of: "clavis", to: "Better Auth" } as const;
  return [
    ratioRow({ ...against, what: "gRPC Verify, warm, of Better Auth's verifyApiKey", aim: 20 }),
    ratioRow({ ...against, what: "gRPC Verify, cold, of Better Auth's verifyApiKey", aim: 3 }),
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
