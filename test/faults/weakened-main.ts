/** `node weakened-main.ts GUARD`: the service with one of its guards taken out, for tests that have to find out. */
import { parseConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";
import { startServer } from "../../src/server.ts";
import { isGuard, weakened } from "./guards.ts";

const [, , guard = ""] = process.argv;
if (!isGuard(guard)) throw new Error(`no guard is called ${guard}`);
const config = parseConfig(process.env);
const log = createLog(config.logLevel);
const { url, operationsUrl } = await startServer(config, { log, rules: weakened(guard) });
log.info({ url, operationsUrl }, "serving");
