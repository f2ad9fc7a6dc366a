/** The way from the socket to the verdict and back, over keys in memory: `verify-server.ts lean|stock`. */
import { createAuthenticator } from "../../../src/access/authenticator.ts";
import { createClientAddress } from "../../../src/http/client-address.ts";
import { openListener } from "../../../src/http/listener.ts";
import { createIds } from "../../../src/ids.ts";
import { createLog } from "../../../src/log.ts";
import { createMetrics } from "../../../src/metrics.ts";
import { createReadiness } from "../../../src/readiness.ts";
import { createCallObserver } from "../../../src/rpc/call-observer.ts";
import { createRequestCheck } from "../../../src/rpc/request-check.ts";
import { createRpcHandler, type RpcParts } from "../../../src/rpc/routes.ts";
import { createVerifyAnswers } from "../../../src/rpc/verify-service.ts";
import { monotonicSeconds, systemClock } from "../../../src/time.ts";
import { createVerifyService } from "../../../src/verify/verify-service.ts";
import { withPlainRequests } from "../../../src/wire/plain-request.ts";
import { createWireHandler } from "../../../src/wire/wire-handler.ts";
import { tell } from "./announce.ts";
import { createMemoryKeys } from "./memory-keys.ts";

const { source, work } = createMemoryKeys();
const clock = systemClock;
const log = createLog("info");
const metrics = createMetrics({ redisUp: undefined });
const authenticator = createAuthenticator({ source, clock, operatorSecrets: [] });
const verify = createVerifyService({ source, clock });
const addressOf = createClientAddress([]);
const observer = createCallObserver({ log, metrics, seconds: monotonicSeconds });
const contractCheck = createRequestCheck();
const common = { authenticator, verify, clock, log, metrics, addressOf, observer };

// Verify alone is called; the other services never get as far as these.
const absent = {} as Pick<RpcParts, "changes" | "keyspaces" | "keys" | "tenants" | "audit">;
const handler = createRpcHandler({
  ...absent,
  ...common,
  check: contractCheck,
  newId: createIds(clock),
  readiness: createReadiness(true),
});
const check = withPlainRequests(contractCheck);
const wire = createWireHandler({
  authenticator,
  answers: createVerifyAnswers({ verify, check, metrics }),
  check,
  observer,
  addressOf,
  stock: handler,
  commonHeaders: {},
});
const listener = await openListener({
  host: "127.0.0.1",
  port: 0,
  tls: undefined,
  handler,
  shortcut: process.argv[2] === "lean" ? wire : undefined,
});
tell({ url: listener.url, work });
