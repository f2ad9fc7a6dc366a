import { type Clavis, createClavis, type NodeClavisOptions } from "@clavis/sdk";
import type { TestService, TestTenant } from "./service.ts";

/** A new tenant with a keyspace, and a client that may do everything in it. */
export interface OpenTenant extends TestTenant, AsyncDisposable {
  readonly clavis: Clavis;
  readonly keyspaceId: string;
  /** A client that holds `token`. It is closed with the tenant. */
  clientFor(token: string, url?: string): Clavis;
}

/** The client makes one attempt by default, so that a test sees each failure and not what a retry made of it. */
export async function openTenant(
  service: Pick<TestService, "url" | "newTenant">,
  options: Partial<NodeClavisOptions> = {},
): Promise<OpenTenant> {
  await using stack = new AsyncDisposableStack();
  const tenant = await service.newTenant();
  const clientFor = (token: string, url = service.url) =>
    kept.use(createClavis({ baseUrl: url, token, attemptsMax: 1, ...options }));
  let kept = stack;
  const clavis = clientFor(tenant.token);
  const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
  kept = stack.move();
  return {
    ...tenant,
    clavis,
    keyspaceId: keyspace?.id ?? "",
    clientFor,
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}
