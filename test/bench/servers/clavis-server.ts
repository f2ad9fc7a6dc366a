/**
 * The service as it is, on a database that is there: `clavis-server.ts URL KEYS FILE [NAME=VALUE...]`, with so many keys, whose
 * secrets it writes to the file, and with these variables of its environment.
 */
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { parseEnv } from "node:util";
import { createClavis } from "@clavis/sdk";
import { parseConfig } from "../../../src/config.ts";
import { createLog } from "../../../src/log.ts";
import { startServer } from "../../../src/server.ts";
import { aKey } from "../requests.ts";
import { tell } from "./announce.ts";
import { serverEnvironment } from "./server-environment.ts";
import type { Work } from "./work.ts";

/** A fifth of what a call may have: the machine is busy, and a transaction may not idle for long. */
const BATCH_MAX = 200;

const [, , databaseUrl = "", keys = "", file = "", ...settings] = process.argv;
const { environment, operatorToken } = serverEnvironment(databaseUrl);
const server = await startServer(parseConfig({ ...environment, ...parseEnv(settings.join("\n")) }), {
  log: createLog("warn"),
});
process.once("SIGTERM", () => void server[Symbol.asyncDispose]().then(() => process.exit()));

await using operator = createClavis({ baseUrl: server.url, token: operatorToken });
const { managementSecret: token } = await operator.tenants.create({ displayName: "Acme" });
await using clavis = createClavis({ baseUrl: server.url, token });
const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });

const secrets: string[] = [];
while (secrets.length < Number(keys)) {
  const length = Math.min(BATCH_MAX, Number(keys) - secrets.length);
  const { keyspaceId, ...spec } = aKey({ keyspaceId: keyspace.id });
  const created = await clavis.keys.batchCreate({ keyspaceId, keys: Array.from({ length }, () => spec) });
  secrets.push(...created.map(({ secret }) => secret));
}
if (file !== "") {
  const stream = createWriteStream(file);
  for (const secret of secrets) stream.write(`${secret}\n`);
  stream.end();
  await finished(stream);
}
const work: Work = { token, keyspaceId: keyspace.id, secrets: secrets.slice(0, 1) };
tell({ url: server.url, operationsUrl: server.operationsUrl, work });
