import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Outcome } from "@clavis/sdk";
import type { Clavis, ClavisError, ClavisOptions } from "@clavis/sdk/web";
import type { JSHandle, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { bundleForBrowsers } from "../harness/browser-bundle.ts";
import { openChromium } from "../harness/chromium.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { openSite, type Site } from "../harness/site.ts";
import { lockWaiters, openSql } from "../harness/sql.ts";
import { openTenantHome, type TenantHome } from "../harness/tenant-home.ts";
import { until } from "../harness/until.ts";

type Sdk = typeof import("@clavis/sdk/web");

const sdkFolder = join(import.meta.dirname, "../../sdk");
const missingKeyId = `key_${"0".repeat(26)}`;
const web = await bundleForBrowsers(join(sdkFolder, "web/index.ts"));
const browser = await openChromium();

describe("the bundle for browsers", () => {
  it("needs nothing that browsers lack", () => {
    expect(web.imports).toEqual([]);
    expect(web.code).not.toMatch(/["'`]node:/);
  });

  it("would be found out if it did", async () => {
    const { imports, code } = await bundleForBrowsers(join(sdkFolder, "index.ts"));
    expect(imports).toContain("node:http2");
    expect(code).toMatch(/["'`]node:/);
  });
});

describe.skipIf(browser === undefined)("the SDK in a page of another origin", () => {
  const resources = new AsyncDisposableStack();
  let site: Site;
  let service: TestService;
  let home: TenantHome;
  let tab: Tab;

  beforeAll(async () => {
    site = resources.use(await openSdkSite());
    service = resources.use(await openTestService({ env: { CLAVIS_CORS_ORIGINS: site.origin }, logLevel: "debug" }));
    home = resources.use(await openTenantHome(service));
    resources.use(browser);
    tab = await openTab(site.pageFor(service.url));
  });

  afterAll(() => resources.disposeAsync());

  it("manages and verifies, within a policy that lets it call the service alone", async () => {
    const clavis = await clientIn(tab);
    const { keyspace } = await clavis.evaluate((clavis) => {
      return clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
    });
    const { items } = await clavis.evaluate((clavis) => clavis.keyspaces.list().page());
    expect(items.map(({ id }) => id)).toContain(keyspace.id);

    const { secret } = await clavis.evaluate((clavis, keyspaceId) => {
      return clavis.keys.create({ keyspaceId, displayName: "CI" });
    }, keyspace.id);
    const presented = { secret, keyspaceId: keyspace.id };
    const verdict = await clavis.evaluate((clavis, presented) => clavis.verify(presented), presented);
    expect(verdict.outcome).toBe(Outcome.VALID);
    expect(tab.said.filter((text) => text.includes("Content Security Policy"))).toEqual([]);
  });

  it("makes a change once for one request id", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const clavis = await clientIn(tab);
    const request = { keyspaceId, displayName: "CI", requestId: randomUUID() };
    const create = () => clavis.evaluate((clavis, request) => clavis.keys.create(request), request);
    const first = await create();
    expect(await create()).toMatchObject({ key: { id: first.key.id }, secret: first.secret });
    expect((await home.clavis.keys.list({ keyspaceId }).page()).items).toHaveLength(1);
  });

  it("tells a reason that narrows, its facts, and the id by which the service has logged the call", async () => {
    const clavis = await clientIn(tab);
    const told = await tab.sdk.evaluate(
      async ({ ClavisError }, { clavis, keyId }) => {
        try {
          await clavis.keys.get(keyId);
        } catch (error) {
          if (error instanceof ClavisError && error.reason === "KEY_NOT_FOUND") return error.toJSON();
          throw error;
        }
        return undefined;
      },
      { clavis, keyId: missingKeyId },
    );
    expect(told).toMatchObject({ code: "NOT_FOUND", facts: { key_id: missingKeyId }, retryable: false });
    expect(told?.callId).toEqual(expect.any(String));
    expect(service.logged.filter((line) => line.includes(`"${told?.callId}"`))).not.toEqual([]);
  });

  it("reads a list page by page", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const issued = [await home.newKey(keyspaceId), await home.newKey(keyspaceId), await home.newKey(keyspaceId)];
    const clavis = await clientIn(tab);
    const read = await clavis.evaluate(async (clavis, keyspaceId) => {
      const list = clavis.keys.list({ keyspaceId, pageSize: 2 });
      const ids: string[] = [];
      for await (const key of list) ids.push(key.id);
      const sizes: number[] = [];
      for await (const { items } of list.pages()) sizes.push(items.length);
      return { ids, sizes };
    }, keyspaceId);
    expect(read.ids.toSorted()).toEqual(issued.map(({ key }) => key.id).toSorted());
    expect(read.sizes).toEqual([2, 1]);
  });

  it("ends a call when the page cancels it", async () => {
    await using stuck = await aStuckKeyspace();
    const clavis = await clientIn(tab);
    const controller = await tab.page.evaluateHandle(() => new AbortController());
    const outcome = clavis.evaluate(
      (clavis, { request, controller }) => {
        const call = clavis.keys.create(request, { signal: controller.signal });
        return call.catch((error: ClavisError) => error.toJSON());
      },
      { request: { keyspaceId: stuck.keyspaceId, displayName: "CI" }, controller },
    );
    await stuck.waiting();
    const aborted = tab.page.waitForEvent("requestfailed");
    await controller.evaluate((controller) => controller.abort());
    expect(await outcome).toMatchObject({ reason: "CANCELED", retryable: false });
    expect((await aborted).failure()?.errorText).toBe("net::ERR_ABORTED");
  });

  it("ends a call at its deadline", async () => {
    await using stuck = await aStuckKeyspace();
    const clavis = await clientIn(tab);
    const outcome = await clavis.evaluate(
      (clavis, request) =>
        clavis.keys.create(request, { timeoutMs: 100 }).catch((error: ClavisError) => error.toJSON()),
      { keyspaceId: stuck.keyspaceId, displayName: "CI" },
    );
    expect(outcome).toMatchObject({ reason: "DEADLINE_EXCEEDED", code: "DEADLINE_EXCEEDED" });
  });

  it("is stopped by the browser where its origin is not configured, and learns nothing", async () => {
    const keyspace = await home.newKeyspace();
    await using stranger = await openSdkSite();
    const { sdk, said } = await openTab(stranger.pageFor(service.url));
    const clavis = await clientIn({ sdk }, { attemptsMax: 1 });
    const displayName = "from a stranger";
    const told = await clavis.evaluate((clavis, displayName) => {
      const call = clavis.keyspaces.create({ displayName, prefix: "acme_live" });
      return call.catch((error: ClavisError) => ({ ...error.toJSON(), text: `${error.stack}` }));
    }, displayName);
    expect(told).toMatchObject({ reason: "UNREACHABLE", code: "UNAVAILABLE", facts: {}, callId: undefined });
    expect(JSON.stringify(told)).not.toContain(home.token);
    await saying(said, "blocked by CORS policy");

    const { items } = await home.clavis.keyspaces.list().page();
    expect(items.map(({ id }) => id)).toContain(keyspace.id);
    expect(items.map((item) => item.displayName)).not.toContain(displayName);
  });

  it("is stopped by the page's own policy where it would call another host", async () => {
    const { sdk, said } = await openTab(site.pageFor(service.operationsUrl));
    const clavis = await clientIn({ sdk }, { attemptsMax: 1 });
    const reason = await clavis.evaluate((clavis) => clavis.self.get().catch(({ reason }: ClavisError) => reason));
    expect(reason).toBe("UNREACHABLE");
    await saying(said, "Content Security Policy");
  });

  it("says nothing of a token that is refused", async () => {
    const clavis = await clientIn(tab, { token: `${home.token}0` });
    const told = await clavis.evaluate((clavis) => {
      const read = clavis.keyspaces.list().page();
      return read.catch((error: ClavisError) => ({ ...error.toJSON(), text: `${error} ${error.stack}` }));
    });
    expect(told).toMatchObject({ reason: "CREDENTIAL_REJECTED", text: expect.stringContaining("ClavisError: ") });
    await saying(tab.said, "status of 401");
    expect([JSON.stringify(told), ...tab.said].join("\n")).not.toContain(home.token);
  });

  interface Tab {
    readonly page: Page;
    readonly sdk: JSHandle<Sdk>;
    /** What stands in its console. */
    readonly said: readonly string[];
  }

  async function openTab(url: string): Promise<Tab> {
    if (browser === undefined) throw new Error("these tests are skipped where there is no browser");
    const page = await browser.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    await page.goto(url);
    return { page, sdk: await page.evaluateHandle<Sdk>("sdk"), said };
  }

  /** A client in the page, by default one that may do everything in the tenant. */
  function clientIn({ sdk }: Pick<Tab, "sdk">, options: Partial<ClavisOptions> = {}): Promise<JSHandle<Clavis>> {
    const all = { baseUrl: service.url, token: home.token, ...options };
    return sdk.evaluateHandle(({ createClavis }, options) => createClavis(options), all);
  }

  /** A keyspace in which nothing can be created until this is disposed. */
  async function aStuckKeyspace() {
    const stack = new AsyncDisposableStack();
    const { id: keyspaceId } = await home.newKeyspace();
    const sql = stack.use(await openSql(service.database.adminUrl));
    await sql.query("begin");
    await sql.query("select from clavis.keyspaces where keyspace_id = $1 for update", [toUuid("ks", keyspaceId)]);
    return {
      keyspaceId,
      /** Resolves once a call has got as far as it can. */
      waiting: () => lockWaiters(sql, 1),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  }
});

/** Resolves once the console says `text`; the browser writes it beside the call. */
async function saying(said: readonly string[], text: string): Promise<void> {
  await until(`the console says: ${text}`, () => said.some((message) => message.includes(text)));
}

/** A site whose page has the SDK as `sdk`. */
function openSdkSite(): Promise<Site> {
  return openSite({ "/sdk.js": web.code, "/page.js": `import * as sdk from "/sdk.js"; globalThis.sdk = sdk;` });
}
