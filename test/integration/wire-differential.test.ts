/**
 * The lean path and the stock handler, side by side: whatever is asked of both, they answer alike. `WIRE_CASES=20000` is the long
 * version, and another `WIRE_SEED` asks other things.
 */
import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { openTestDatabase } from "../harness/postgres.ts";
import { createPrng } from "../harness/prng.ts";
import { type RawAnswer, type RawCall, sendRaw } from "../harness/raw-call.ts";
import { openTestService, type TestService, testEnvironment } from "../harness/service.ts";
import { openTenantHome } from "../harness/tenant-home.ts";
import { createTestClock } from "../harness/test-clock.ts";
import { type CaseMaterial, drawCase } from "../harness/wire-cases.ts";

const CASES = Number(process.env.WIRE_CASES ?? 3000);
const SEED = Number(process.env.WIRE_SEED ?? 1);

/** Calls under way at the same time. */
const LANES = 16;

const DAY = 24 * 60 * 60 * 1000;

const stack = new AsyncDisposableStack();
afterAll(async () => await stack.disposeAsync());
const time = createTestClock();
const database = stack.use(await openTestDatabase());
const { CLAVIS_ROOT_KEYS = "", CLAVIS_OPERATOR_KEYS = "" } = testEnvironment(database.url);
const env = {
  CLAVIS_ROOT_KEYS,
  CLAVIS_OPERATOR_KEYS,
  CLAVIS_CORS_ORIGINS: "https://console.example",
  CLAVIS_TRUSTED_PROXIES: "127.0.0.0/8",
};
const open = async (leanPath: boolean) =>
  stack.use(await openTestService({ database, env, leanPath, clock: time.clock }));
const lean = await open(true);
const stock = await open(false);
const material = await makeMaterial();

describe("the lean path", () => {
  it(`answers as the stock handler does, ${CASES} times from seed ${SEED}`, { timeout: CASES * 100 }, async () => {
    const chance = createPrng(SEED);
    const cases = Array.from({ length: CASES }, () => drawCase(chance, material));
    const differences: unknown[] = [];
    const kinds = new Map<string, number>();
    let next = 0;
    const before = await Promise.all([lean, stock].map(counts));
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (let index = next++; index < cases.length && differences.length < 5; index = next++) {
          const call = cases[index] as RawCall;
          const [one, other] = (await Promise.all([lean, stock].map(({ url }) => sendRaw(url, call)))) as [
            RawAnswer,
            RawAnswer,
          ];
          kinds.set(kindOf(one), (kinds.get(kindOf(one)) ?? 0) + 1);
          if (!same(one, other))
            differences.push({ index, call: shown(call), lean: readable(one), stock: readable(other) });
        }
      }),
    );
    expect(differences).toEqual([]);
    const after = await Promise.all([lean, stock].map(counts));
    const [byLean, byStock] = after.map((now, index) => minus(now, before[index] ?? {}));
    expect(byLean).toEqual(byStock);

    // What was asked reached the service in most cases, and in many it did not; neither may crowd out the other.
    expect([...kinds.values()].reduce((sum, count) => sum + count)).toBe(CASES);
    const verdicts = Object.entries(byLean ?? {}).filter(([name]) => name.startsWith("clavis_verdicts_total"));
    expect(verdicts.length).toBeGreaterThanOrEqual(9);
    expect(verdicts.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(CASES / 4);
    expect(kinds.size).toBeGreaterThan(8);
  });
});

async function makeMaterial(): Promise<CaseMaterial> {
  const home = stack.use(await openTenantHome(stock));
  const other = stack.use(await openTenantHome(stock));
  const { id: keyspaceId } = await home.newKeyspace();
  const { id: secondId } = await home.newKeyspace({ prefix: "acme_test" });
  const { id: disabledId } = await home.newKeyspace({ prefix: "acme_off" });
  const { id: foreignId } = await other.newKeyspace();
  const full = await home.newKey(keyspaceId, {
    displayName: "Zoë \u{1f511}",
    ownerId: "user_7",
    permissions: ["documents.*", "billing.read"],
    metadata: { plan: "pro", seats: 3, nested: { list: [1, null, true, "x"] } },
    expireTime: time.date(30 * DAY),
  });
  const plain = await home.newKey(keyspaceId);
  const expired = await home.newKey(keyspaceId, { expireTime: time.date(DAY) });
  const young = await home.newKey(keyspaceId, { notBeforeTime: time.date(10 * DAY) });
  const revoked = await home.newKey(keyspaceId);
  const disabled = await home.newKey(keyspaceId);
  const homebound = await home.newKey(keyspaceId, {
    allowedAddresses: ["192.0.2.0/24"],
    permissions: ["documents.read"],
  });
  const rotating = await home.newKey(keyspaceId);
  const { secret: rotated } = await home.clavis.keys.rotate(rotating.key.id, { overlap: { days: 20 } });
  const inSecond = await home.newKey(secondId);
  const inDisabled = await home.newKey(disabledId);
  const foreign = await other.newKey(foreignId);
  await home.clavis.keys.revoke(revoked.key.id);
  await home.clavis.keys.disable(disabled.key.id);
  await home.clavis.keyspaces.update(disabledId, { disabled: true });

  const held = await home.newManagementKey({ allowedKeyspaceIds: [secondId] });
  const blind = await home.newManagementKey({ permissions: ["clavis.keys.read"] });
  const stale = await home.newManagementKey({ expireTime: time.date(DAY) });
  const nearby = await home.newManagementKey({ allowedAddresses: ["198.51.100.0/24"] });
  const gone = await home.newManagementKey();
  await home.clavis.keys.revoke(gone.key.id);
  time.advance(2 * DAY);

  const live = [full, plain, expired, young, revoked, disabled, homebound, rotating, inSecond, inDisabled, foreign];
  const junk = [
    home.token,
    full.secret.slice(0, -1),
    `${full.secret}x`,
    full.secret.toUpperCase(),
    "",
    "acme_live_",
    `acme_live_${"0".repeat(40)}`,
    createHash("sha256").update("imported").digest("base64url"),
    "café",
    "a\0b",
    "x".repeat(600),
  ];
  const good = [full.secret, full.secret, full.secret, plain.secret, rotated, homebound.secret];
  return {
    secrets: [...good, ...live.map(({ secret }) => secret), ...good, ...junk],
    keyspaceIds: [keyspaceId, secondId, disabledId, foreignId, home.managementKeyspaceId, `ks_${"0".repeat(26)}`],
    tokens: [
      home.token,
      ...[held, blind, stale, nearby, gone].map(({ secret }) => secret),
      stock.operatorToken,
      other.token,
      full.secret,
    ],
  };
}

/** How often each call ended in each way, and how often each verdict was given. */
async function counts({ operationsUrl }: TestService): Promise<Record<string, number>> {
  const text = await (await fetch(`${operationsUrl}/metrics`)).text();
  const lines = text.matchAll(/^((?:clavis_rpc_seconds_count|clavis_verdicts_total)\S*) (\d+)$/gm);
  return Object.fromEntries(Array.from(lines, ([, name = "", count]) => [name, Number(count)]));
}

function minus(now: Record<string, number>, then: Record<string, number>): Record<string, number> {
  const grown = Object.entries(now).map(([name, count]) => [name, count - (then[name] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}

function same(one: RawAnswer, other: RawAnswer): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What sort of answer it was. */
function kindOf({ status, trailers, end }: RawAnswer): string {
  return [status, trailers["grpc-status"] ?? "", end].join(" ");
}

function shown({ body, ...call }: RawCall): unknown {
  return { ...call, body: body.map((piece) => piece.toString("latin1").slice(0, 2000)) };
}

function readable({ body, ...answer }: RawAnswer): unknown {
  return { ...answer, body: Buffer.from(body, "hex").toString("latin1").slice(0, 1000) };
}
