import { createClavis } from "@clavis/sdk";
import { parseConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";
import { startServer } from "../../src/server.ts";
import { type Clock, systemClock } from "../../src/time.ts";
import type { TestService } from "./service.ts";

export type ServiceOn = Pick<TestService, "url" | "newTenant"> & AsyncDisposable;

/** A Clavis in this process on what the environment names, be it a database or a data folder. */
export async function openServiceOn(
  env: Readonly<Record<string, string>>,
  clock: Clock = systemClock,
): Promise<ServiceOn> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer(parseConfig(env), { log: createLog("silent"), clock }));
  const operator = stack.use(createClavis({ baseUrl: server.url, token: env.CLAVIS_OPERATOR_KEYS ?? "" }));
  const kept = stack.move();
  return {
    url: server.url,
    async newTenant(displayName = "Test") {
      const { tenant, managementKey, managementSecret } = await operator.tenants.create({ displayName });
      const { id: tenantId, managementKeyspaceId } = tenant;
      return { tenantId, managementKeyspaceId, managementKeyId: managementKey.id, token: managementSecret };
    },
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}
