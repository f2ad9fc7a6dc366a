/** The main job on real traffic: a Clavis of its own, an API that it guards, and a customer who calls it. Leaves nothing behind. */

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClavis, type Key } from "@clavis/sdk";
import { maskSecret } from "@clavis/sdk/rules";
import { parseConfig } from "../src/config.ts";
import { createLog } from "../src/log.ts";
import { startServer } from "../src/server.ts";
import { openApi } from "./api.ts";
import { chapter, note, showCall, showEvents } from "./print.ts";

await using stack = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "clavis-demo-"));
stack.defer(() => rm(folder, { recursive: true, force: true }));

chapter("Clavis starts, with a Postgres of its own");
const config = parseConfig({
  CLAVIS_DATA_DIR: join(folder, "data"),
  CLAVIS_LISTEN: "127.0.0.1:0",
  CLAVIS_METRICS_LISTEN: "off",
});
const server = stack.use(await startServer(config, { log: createLog("warn") }));
const token = readFileSync(join(server.dataDir ?? "", "management-key"), "utf8");
const clavis = stack.use(createClavis({ baseUrl: server.url, token }));
note(`it answers at ${server.url}`);

chapter("The company sets up its API, and issues a key to a customer");
const { keyspace } = await clavis.keyspaces.create({
  displayName: "Documents API",
  prefix: "acme_live",
  grantablePermissions: ["documents.*"],
});
const api = stack.use(await openApi({ clavis, keyspaceId: keyspace.id }));
const { key, secret } = await clavis.keys.create({
  keyspaceId: keyspace.id,
  displayName: "CI of customer 7",
  ownerId: "customer-7",
  permissions: ["documents.read"],
});
note(`${describe(key)} may ${key.permissions.join(", ")}`);

chapter("The customer calls the API");
await call("GET", "/documents", secret);

chapter("It may read, but not write; and without a key it may nothing");
await call("POST", "/documents", secret);
await call("GET", "/documents", undefined);

chapter("The key is rotated, with an overlap of an hour: both secrets work");
const rotated = await clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
note(`${describe(rotated.key)} takes over from ${maskSecret(secret)}`);
await call("GET", "/documents", secret);
await call("GET", "/documents", rotated.secret);

chapter("The customer has moved to the new secret, so the overlap is ended: the old one is refused");
await clavis.keys.completeRotation(key.id);
await call("GET", "/documents", secret);
await call("GET", "/documents", rotated.secret);

chapter("The new secret leaks. The key is revoked, and dead from then on");
await clavis.keys.revoke(key.id, { reasonText: "found in a public repository" });
await call("GET", "/documents", rotated.secret);

chapter("Who did what: the audit log");
showEvents(await Array.fromAsync(clavis.audit.list({ oldestFirst: true })));

/** One request as a customer's program would make it. */
async function call(method: string, path: string, presented: string | undefined): Promise<void> {
  const headers: Record<string, string> = presented === undefined ? {} : { authorization: `Bearer ${presented}` };
  const response = await fetch(`${api.url}${path}`, { method, headers });
  showCall({ method, path, presented, status: response.status, body: await response.json() });
}

function describe({ displayName, maskedSecret }: Key): string {
  return `"${displayName}" (${maskedSecret})`;
}
