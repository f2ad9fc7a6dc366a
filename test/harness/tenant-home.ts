import type { DescService } from "@bufbuild/protobuf";
import {
  type Clavis,
  type CreateKeyInput,
  type CreateKeyspaceInput,
  createClavis,
  type Key,
  type Keyspace,
  type Outcome,
  type VerifyInput,
} from "@clavis/sdk";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll } from "vitest";
import { openTestService, type TestService, type TestServiceOptions, type TestTenant } from "./service.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";

/** A key just made, and what its holder presents. */
export interface IssuedKey {
  readonly key: Key;
  readonly secret: string;
}

export type KeyInit = Omit<Partial<CreateKeyInput>, "keyspaceId">;

/** A tenant of one's own and hands to work in it. All that is made is valid in whatever the test does not say. */
export interface TenantHome extends TestTenant, AsyncDisposable {
  /** With a management key that may do everything. */
  readonly clavis: Clavis;
  newKeyspace(init?: Partial<CreateKeyspaceInput>): Promise<Keyspace>;
  newKey(keyspaceId: string, init?: KeyInit): Promise<IssuedKey>;
  /** A key in the reserved keyspace, made by the first management key, and a client that calls with it. */
  newManagementKey(init?: KeyInit): Promise<IssuedKey & { readonly clavis: Clavis }>;
  /** What a secret is worth. */
  outcomeOf(secret: string, keyspaceId: string, more?: Partial<VerifyInput>): Promise<Outcome>;
  /** A client with another credential. */
  clientFor(token: string): Clavis;
  /** A generated client over gRPC that sends requests as they are, without the SDK's ids, masks and retries. */
  rpc<Service extends DescService>(service: Service, token?: string): Client<Service>;
}

export async function openTenantHome(service: TestService): Promise<TenantHome> {
  const tenant = await service.newTenant();
  const stack = new AsyncDisposableStack();
  const sessionManager = new Http2SessionManager(service.url);
  stack.defer(() => sessionManager.abort());
  const clientFor = (token: string) => stack.use(createClavis({ baseUrl: service.url, token }));
  const clavis = clientFor(tenant.token);
  const newKey = (keyspaceId: string, init: KeyInit = {}) =>
    clavis.keys.create({ displayName: "CI", ...init, keyspaceId });

  return {
    ...tenant,
    clavis,
    clientFor,
    newKey,
    async newKeyspace(init) {
      return (await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live", ...init })).keyspace;
    },
    async newManagementKey(init) {
      const issued = await newKey(tenant.managementKeyspaceId, { permissions: ["clavis.*"], ...init });
      return { ...issued, clavis: clientFor(issued.secret) };
    },
    async outcomeOf(secret, keyspaceId, more) {
      return (await clavis.verify({ ...more, secret, keyspaceId })).outcome;
    },
    rpc(desc, token = tenant.token) {
      const transport = createGrpcTransport({
        baseUrl: service.url,
        sessionManager,
        interceptors: [
          (next) => (req) => {
            req.header.set("authorization", `Bearer ${token}`);
            return next(req);
          },
        ],
      });
      return createClient(desc, transport);
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** What most test files need: a service whose clock they move and a tenant in it, until their last test has run. */
export async function setUpHome(
  options: TestServiceOptions = {},
): Promise<{ readonly time: TestClock; readonly service: TestService; readonly home: TenantHome }> {
  const time = createTestClock();
  const stack = new AsyncDisposableStack();
  afterAll(async () => await stack.disposeAsync());
  const service = stack.use(await openTestService({ clock: time.clock, ...options }));
  const home = stack.use(await openTenantHome(service));
  return { time, service, home };
}
