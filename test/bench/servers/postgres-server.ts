/** The service as it is, over a Postgres of its own: `postgres-server.ts lean|stock FOLDER`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClavis } from "@clavis/sdk";
import { parseConfig } from "../../../src/config.ts";
import { createLog } from "../../../src/log.ts";
import { startServer } from "../../../src/server.ts";
import { tell } from "./announce.ts";
import { PERMISSIONS, type Work } from "./work.ts";

const [, , path = "", folder = ""] = process.argv;
const config = parseConfig({
  CLAVIS_DATA_DIR: folder,
  CLAVIS_LISTEN: "127.0.0.1:0",
  CLAVIS_METRICS_LISTEN: "off",
  CLAVIS_DRAIN_DELAY_SECONDS: "0",
});
const server = await startServer(config, { log: createLog("warn"), leanPath: path === "lean" });
process.once("SIGTERM", () => void server[Symbol.asyncDispose]().then(() => process.exit()));

const token = readFileSync(join(folder, "management-key"), "utf8").trim();
const clavis = createClavis({ baseUrl: server.url, token });
const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
const { secret } = await clavis.keys.create({
  keyspaceId: keyspace.id,
  displayName: "CI",
  ownerId: "customer-7",
  permissions: [...PERMISSIONS],
  metadata: { plan: "pro" },
});
await clavis.close();
const work: Work = { token, keyspaceId: keyspace.id, secrets: [secret] };
tell({ url: server.url, work });
