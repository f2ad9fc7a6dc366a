import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ServiceProcess, startServiceProcess } from "../harness/service-process.ts";
import type { Killable } from "./kill-run.ts";

/** What starts one service again and again on the same data. Whatever still runs goes with it. */
export interface KillableService extends AsyncDisposable {
  readonly operatorToken: string;
  readonly start: () => Promise<Killable>;
}

/** A service with a Postgres of its own in `folder`, which is killed with it. */
export function createEmbedded(folder: string): KillableService {
  const dataDir = join(folder, "data");
  const operatorToken = `operator_${randomBytes(32).toString("base64url")}`;
  const env = {
    CLAVIS_LISTEN: "127.0.0.1:0",
    CLAVIS_METRICS_LISTEN: "off",
    CLAVIS_DATA_DIR: dataDir,
    CLAVIS_OPERATOR_KEYS: operatorToken,
  };
  return killable(env, operatorToken, () => adminUrlIn(dataDir));
}

/** A service on a Postgres that lives on. */
export function createServed(env: Readonly<Record<string, string>>, adminUrl: string): KillableService {
  return killable(env, env.CLAVIS_OPERATOR_KEYS ?? "", async () => adminUrl);
}

function killable(
  env: Readonly<Record<string, string>>,
  operatorToken: string,
  adminUrlOf: () => Promise<string>,
): KillableService {
  let last: ServiceProcess | undefined;
  return {
    operatorToken,
    async start() {
      const service = await startServiceProcess(env);
      last = service;
      return { url: service.url, adminUrl: await adminUrlOf(), kill: () => service.kill() };
    },
    async [Symbol.asyncDispose]() {
      await last?.kill();
    },
  };
}

/** The superuser's URL of the Postgres that runs in a data folder, by the file in which it says where it is. */
export async function adminUrlIn(dataDir: string): Promise<string> {
  const [, , , port = "", socketFolder = ""] = (await readFile(join(dataDir, "postgres/postmaster.pid"), "utf8")).split(
    "\n",
  );
  return `postgresql://postgres@/clavis?host=${encodeURIComponent(socketFolder)}&port=${port}&sslmode=disable`;
}
