import { afterAll, describe, expect, it } from "vitest";
import { openTestService, type TestService } from "../harness/service.ts";
import { openTenantHome } from "../harness/tenant-home.ts";

const stack = new AsyncDisposableStack();
afterAll(async () => await stack.disposeAsync());
const behind = async (proxies: string) =>
  stack.use(await openTestService({ env: { CLAVIS_TRUSTED_PROXIES: proxies } }));
const trusting = await behind("127.0.0.0/8,10.0.0.0/8");
const trustingNobody = await behind("");
const trustingOthers = await behind("10.0.0.0/8");

describe("x-forwarded-for", () => {
  it.each([
    ["the address that a trusted proxy names", "203.0.113.9", "203.0.113.9"],
    ["what the last one names that is not a proxy itself", "203.0.113.9, 10.1.2.3", "203.0.113.9"],
    ["nothing that stands further left, which anyone may write", "198.51.100.1, 203.0.113.9", "203.0.113.9"],
    ["one form of an address", "::ffff:203.0.113.9", "203.0.113.9"],
    ["one form of an address of version 6", "2001:DB8:0:0::1", "2001:db8::1"],
    ["the first, if all are proxies", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
    ["nobody, if it is no address", "203.0.113.9, nonsense", ""],
    ["the peer, if it is not there", undefined, "127.0.0.1"],
  ])("tells, from a trusted proxy, %s", async (_, header, address) => {
    expect(await auditedAddress(trusting, header)).toBe(address);
  });

  it.each([
    ["there are no trusted proxies", trustingNobody],
    ["the peer is not one of them", trustingOthers],
  ])("tells nothing where %s", async (_, service) => {
    expect(await auditedAddress(service, "203.0.113.9")).toBe("127.0.0.1");
  });

  it.each([
    ["decides from where a management key may be used", trusting, 200],
    ["decides nothing where nobody is trusted", trustingNobody, 401],
  ])("%s", async (_, service, status) => {
    await using tenant = await openTenantHome(service);
    const { secret } = await tenant.newManagementKey({ allowedAddresses: ["203.0.113.0/24"] });
    const list = (forwardedFor?: string) =>
      post(service, "clavis.v1.KeyspaceService/ListKeyspaces", secret, {}, forwardedFor);
    expect((await list("203.0.113.9")).status).toBe(status);
    expect((await list("203.0.114.9")).status).toBe(401);
    expect((await list()).status).toBe(401);
  });
});

async function auditedAddress(service: TestService, forwardedFor: string | undefined): Promise<string | undefined> {
  await using tenant = await openTenantHome(service);
  const body = { displayName: "x", prefix: "ab" };
  const answer = await post(service, "clavis.v1.KeyspaceService/CreateKeyspace", tenant.token, body, forwardedFor);
  const callId = answer.headers.get("clavis-call-id") ?? "";
  const { items } = await tenant.clavis.audit.list({ callId }).page();
  expect(items).toHaveLength(1);
  return items[0]?.address;
}

function post(service: TestService, path: string, token: string, body: object, forwardedFor?: string) {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
  };
  return fetch(`${service.url}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}
