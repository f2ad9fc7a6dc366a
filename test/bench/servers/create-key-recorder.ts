/** Tells which statements two calls of CreateKey send, apart from the look-up of the caller's secret: `create-key-recorder.ts URL`. */
import { createClavis } from "@clavis/sdk";
import pg from "pg";
import { parseConfig } from "../../../src/config.ts";
import { createLog } from "../../../src/log.ts";
import { startServer } from "../../../src/server.ts";
import { aKey } from "../requests.ts";
import type { Message } from "../statements.ts";
import { tell } from "./announce.ts";
import { serverEnvironment } from "./server-environment.ts";

/** The pool for changes. That for secrets has another name, and a read there serves many calls. */
const POOL = "clavis";

let recorded: Message[] = [];
const query = Reflect.get(pg.Client.prototype, "query") as (...args: unknown[]) => unknown;
pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
  const [text, values] = args;
  const { application_name: pool } = Reflect.get(this, "connectionParameters") as { application_name?: string };
  if (typeof text === "string" && pool === POOL) {
    recorded.push({ text, values: Array.isArray(values) ? values.map(textOf) : [] });
  }
  return Reflect.apply(query, this, args);
} as typeof pg.Client.prototype.query;

const [, , databaseUrl = ""] = process.argv;
const { environment, operatorToken } = serverEnvironment(databaseUrl);
const server = await startServer(parseConfig(environment), { log: createLog("warn") });
process.once("SIGTERM", () => void server[Symbol.asyncDispose]().then(() => process.exit()));

await using operator = createClavis({ baseUrl: server.url, token: operatorToken });
const { managementSecret } = await operator.tenants.create({ displayName: "Acme" });
await using clavis = createClavis({ baseUrl: server.url, token: managementSecret });
const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
tell([await recordOne(), await recordOne()]);

async function recordOne(): Promise<readonly Message[]> {
  recorded = [];
  await clavis.keys.create(aKey({ keyspaceId: keyspace.id }));
  return recorded;
}

/** A parameter as Postgres reads it. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return `\\x${value.toString("hex")}`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `{${value.map((one) => JSON.stringify(String(one))).join(",")}}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value as string | number | boolean);
}
