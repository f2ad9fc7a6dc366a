import { randomBytes } from "node:crypto";
import { createClavis } from "@clavis/sdk";
import { type Config, parseConfig } from "../../src/config.ts";
import { createLog, type LogLevel } from "../../src/log.ts";
import { type RunningServer, startServer } from "../../src/server.ts";
import { type Clock, systemClock } from "../../src/time.ts";
import { openTestDatabase, type TestDatabase, type TestServer } from "./postgres.ts";

/** A Clavis of one's own, in this process, on a database of its own. */
export interface TestService extends AsyncDisposable {
  readonly url: string;
  readonly operationsUrl: string;
  readonly database: TestDatabase;
  readonly operatorToken: string;
  /** A new tenant, and the token of a management key that may do everything in it. */
  newTenant(displayName?: string): Promise<TestTenant>;
  /** What has been logged, if `logLevel` asks for it. */
  readonly logged: string[];
}

export interface TestTenant {
  readonly tenantId: string;
  readonly managementKeyspaceId: string;
  readonly managementKeyId: string;
  readonly token: string;
}

export interface TestServiceOptions {
  readonly clock?: Clock;
  /** As in the service's own options. */
  readonly leanPath?: boolean;
  readonly logLevel?: LogLevel;
  /** Further variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** By default the run's. */
  readonly postgres?: TestServer;
  /** By default a new one, which goes with the service. */
  readonly database?: TestDatabase;
}

/** The environment of a service on `database`, on free ports, with secrets of its own. */
export function testEnvironment(databaseUrl: string): Record<string, string> {
  return {
    CLAVIS_LISTEN: "127.0.0.1:0",
    CLAVIS_METRICS_LISTEN: "127.0.0.1:0",
    CLAVIS_DATABASE_URL: databaseUrl,
    CLAVIS_ROOT_KEYS: `test:${randomBytes(32).toString("base64")}`,
    CLAVIS_OPERATOR_KEYS: `operator_${randomBytes(32).toString("base64url")}`,
    CLAVIS_DRAIN_DELAY_SECONDS: "0",
  };
}

export async function openTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const { clock = systemClock, leanPath, logLevel = "silent", env = {}, postgres } = options;
  await using stack = new AsyncDisposableStack();
  const database = options.database ?? stack.use(await openTestDatabase(postgres));
  const environment = { ...testEnvironment(database.url), ...env };
  const config: Config = parseConfig(environment);
  const logged: string[] = [];
  const log = createLog(logLevel, { write: (line) => void logged.push(line) });
  const server: RunningServer = stack.use(
    await startServer(config, { log, clock, ...(leanPath !== undefined && { leanPath }) }),
  );
  const operatorToken = environment.CLAVIS_OPERATOR_KEYS ?? "";

  const operator = createClavis({ baseUrl: server.url, token: operatorToken });
  stack.defer(() => operator.close());
  const kept = stack.move();
  return {
    url: server.url,
    operationsUrl: server.operationsUrl ?? "",
    database,
    operatorToken,
    logged,
    async newTenant(displayName = "Test") {
      const { tenant, managementKey, managementSecret } = await operator.tenants.create({ displayName });
      return {
        tenantId: tenant?.id ?? "",
        managementKeyspaceId: tenant?.managementKeyspaceId ?? "",
        managementKeyId: managementKey?.id ?? "",
        token: managementSecret,
      };
    },
    async [Symbol.asyncDispose]() {
      await kept.disposeAsync();
    },
  };
}
