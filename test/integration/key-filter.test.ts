import { deriveKeyState, type KeyState } from "@clavis/sdk/rules";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unlimitedRights } from "../../src/access/rights.ts";
import type { Call } from "../../src/call.ts";
import type { Transactor } from "../../src/changes/transactor.ts";
import { createIds } from "../../src/ids.ts";
import { type Key, stateOf } from "../../src/keys/key.ts";
import { type KeyFilter, type KeyOrder, type KeyQuery, NEVER, positionIn } from "../../src/keys/key-store.ts";
import type { Keyspace } from "../../src/keyspaces/keyspace.ts";
import { openPool } from "../../src/postgres/pool.ts";
import { createTransactor } from "../../src/postgres/transactor.ts";
import { DAY_MS } from "../../src/time.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { createPrng, type Prng } from "../harness/prng.ts";

const SEED = Number(process.env.KEY_FILTER_SEED ?? 7);
const KEYS = 400;
const QUERIES = 300;
const NOW = Date.UTC(2030, 0, 1);

/** Few of them, so that many keys have equal ones: around now to the millisecond, and where a double tells no milliseconds. */
const TIMES = [
  NOW - DAY_MS,
  NOW - 1,
  NOW,
  NOW + 1,
  NOW + DAY_MS,
  Date.UTC(9999, 11, 31, 23, 59, 59, 999),
  Date.UTC(6500, 3, 1, 0, 0, 0, 123),
];
const NAMES = [
  "",
  "a",
  "A",
  "b%",
  "b_",
  "b\\",
  "%",
  "_",
  "\\",
  "100% sure",
  "a_b",
  "aXb",
  "Ä",
  "ä",
  "zz",
  "Zz",
  "𝕏",
  "\uffee",
  "'; --",
  "x\ty",
];
const STATES: readonly KeyState[] = ["active", "disabled", "not_yet_valid", "expired", "revoked"];
const ORDERS: readonly KeyOrder[] = ["create_time", "display_name", "expire_time"];

const stack = new AsyncDisposableStack();
const prng = createPrng(SEED);
const newId = createIds(() => NOW);
const call: Call = {
  id: "00000000-0000-4000-8000-000000000000",
  principal: { type: "system" },
  rights: unlimitedRights,
  address: "",
  userAgent: "",
  signal: new AbortController().signal,
};
const tenantId = newId("ten");
const keyspaces = [aKeyspace(false), aKeyspace(false), aKeyspace(true)];
const keys = Array.from({ length: KEYS }, () => aKey());

let transactor: Transactor;

beforeAll(async () => {
  const database = stack.use(await openTestDatabase());
  const pool = openPool({ url: database.url, connectionsMax: 4, waitMsMax: 5000, applicationName: "test" });
  stack.defer(() => pool.end());
  transactor = createTransactor({ pool, newId });
  await transactor.write(call, tenantId, async (tx) => {
    const times = { version: 1, createTime: NOW, updateTime: NOW };
    await tx.tenants.insert({
      id: tenantId,
      displayName: "x",
      suspended: false,
      managementKeyspaceId: keyspaces[2]?.id ?? "",
      ...times,
    });
    for (const keyspace of keyspaces) await tx.keyspaces.insert(keyspace);
    const result = await tx.keys.insert(keys.map((key) => ({ key, digest: prng.bytes(32).toString("hex") })));
    expect(result).toEqual({ inserted: true });
  });
});

afterAll(async () => {
  await stack.disposeAsync();
});

function aKeyspace(management: boolean): Keyspace {
  return {
    id: newId("ks"),
    tenantId,
    displayName: "x",
    prefix: management ? "clavis_mgmt" : "acme",
    earlierPrefixes: [],
    defaultTtlMs: null,
    maxTtlMs: null,
    grantablePermissions: [],
    disabled: false,
    management,
    revocationMode: "available",
    modeVersion: 1,
    modeSettled: true,
    version: 1,
    createTime: NOW,
    updateTime: NOW,
  };
}

function aKey(): Key {
  const keyspace = prng.pick(keyspaces);
  const maybe = <T>(probability: number, value: T): T | null => (prng.chance(probability) ? value : null);
  const revokeTime = maybe(0.2, prng.pick(TIMES.slice(0, 3)));
  return {
    id: newId("key"),
    tenantId,
    keyspaceId: keyspace.id,
    displayName: prng.pick(NAMES),
    ownerId: prng.pick(["", "one", "two", "on"]),
    permissions: [],
    allowedKeyspaceIds: keyspace.management ? keyspaces.map(({ id }) => id).filter(() => prng.chance(0.4)) : [],
    allowedAddresses: [],
    metadata: {},
    expireTime: maybe(0.7, prng.pick(TIMES)),
    notBeforeTime: maybe(0.4, prng.pick(TIMES)),
    disabled: prng.chance(0.3),
    revocation:
      revokeTime === null
        ? null
        : { time: revokeTime, reason: "other", reasonText: "", actorType: "system", actorId: "" },
    imported: false,
    maskedSecret: prng.pick(["acme_abcd...wxyz", "acme%abcd", "acme", "Acme_x", "other"]),
    secretCreateTime: NOW,
    rotation: null,
    version: 1,
    createTime: prng.pick(TIMES.slice(0, 3)),
    updateTime: NOW,
  };
}

function aFilter(init: Partial<KeyFilter> = {}): KeyFilter {
  return { states: [], ownerId: "", expireAfterTime: null, expireBeforeTime: null, prefix: "", text: "", ...init };
}

function aQuery(init: Partial<KeyQuery> = {}): KeyQuery {
  return {
    keyspaceIds: undefined,
    management: true,
    heldTo: undefined,
    filter: aFilter(),
    unrevokedOnly: false,
    order: "create_time",
    descending: false,
    after: undefined,
    limit: KEYS,
    now: NOW,
    ...init,
  };
}

async function ask(query: KeyQuery): Promise<readonly Key[]> {
  return transactor.read(call, tenantId, (tx) => tx.keys.list(query));
}

/** What a query means, over the keys in memory. */
function answerTo(query: KeyQuery): Key[] {
  const { filter, order } = query;
  const management = keyspaces.find((keyspace) => keyspace.management)?.id ?? "";
  const matching = keys.filter(
    (key) =>
      (query.keyspaceIds === undefined || query.keyspaceIds.includes(key.keyspaceId)) &&
      (query.management || key.keyspaceId !== management) &&
      (query.heldTo === undefined ||
        (key.allowedKeyspaceIds.length > 0 && key.allowedKeyspaceIds.every((id) => query.heldTo?.includes(id)))) &&
      (filter.states.length === 0 || filter.states.includes(stateOf(key, query.now))) &&
      (!query.unrevokedOnly || key.revocation === null) &&
      (filter.ownerId === "" || key.ownerId === filter.ownerId) &&
      (filter.expireAfterTime === null || (key.expireTime !== null && key.expireTime >= filter.expireAfterTime)) &&
      (filter.expireBeforeTime === null || (key.expireTime !== null && key.expireTime < filter.expireBeforeTime)) &&
      key.maskedSecret.startsWith(filter.prefix) &&
      key.displayName.toLowerCase().includes(filter.text.toLowerCase()),
  );
  const sorted = matching.toSorted((one, other) => compare(order, one, other));
  return query.descending ? sorted.toReversed() : sorted;
}

function compare(order: KeyOrder, one: Key, other: Key): number {
  const [left, right] = [positionIn(order, one).value, positionIn(order, other).value];
  const byValue =
    typeof left === "string" ? Buffer.compare(Buffer.from(left), Buffer.from(String(right))) : left - Number(right);
  return byValue === 0 ? (one.id < other.id ? -1 : 1) : byValue;
}

function idsOf(list: readonly Key[]): string[] {
  return list.map(({ id }) => id);
}

function randomQuery(random: Prng): KeyQuery {
  const some = <T>(items: readonly T[]) => items.filter(() => random.chance(0.4));
  return aQuery({
    keyspaceIds: random.chance(0.5) ? undefined : [random.pick(keyspaces).id, ...some(keyspaces.map(({ id }) => id))],
    management: random.chance(0.7),
    heldTo: random.chance(0.8) ? undefined : some(keyspaces.map(({ id }) => id)),
    filter: aFilter({
      states: random.chance(0.5) ? [] : some(STATES),
      ownerId: random.chance(0.8) ? "" : random.pick(["one", "on", "%"]),
      expireAfterTime: random.chance(0.8) ? null : random.pick(TIMES),
      expireBeforeTime: random.chance(0.8) ? null : random.pick(TIMES),
      prefix: random.chance(0.7) ? "" : random.pick(["acme", "acme_", "acme%", "Acme", "_", "%", "\\"]),
      text: random.chance(0.6) ? "" : random.pick(["a", "B%", "%", "_", "\\", "A_B", "'", "zz", "nothing"]),
    }),
    unrevokedOnly: random.chance(0.3),
    order: random.pick(ORDERS),
    descending: random.chance(0.5),
    now: random.pick(TIMES.slice(0, 5)),
  });
}

describe("a list of keys", () => {
  it("has keys of every state, and many that are equal in whatever they are ordered by", () => {
    for (const state of STATES)
      expect(keys.filter((key) => stateOf(key, NOW) === state).length, state).toBeGreaterThan(5);
    for (const order of ORDERS)
      expect(new Set(keys.map((key) => positionIn(order, key).value)).size).toBeLessThan(KEYS / 10);
    expect(keys.filter(({ expireTime }) => expireTime === null).length).toBeGreaterThan(50);
    expect(positionIn("expire_time", aKey()).value).toBeLessThanOrEqual(NEVER);
  });

  it("is filtered by state just as a verdict derives it, at each millisecond that matters", async () => {
    let compared = 0;
    for (const now of [NOW - DAY_MS - 1, ...TIMES, NOW + 2, NEVER]) {
      for (const state of STATES) {
        const listed = new Set(idsOf(await ask(aQuery({ filter: aFilter({ states: [state] }), now }))));
        for (const key of keys) {
          const derived = deriveKeyState({ ...key, revokeTime: key.revocation?.time ?? null }, now);
          expect(listed.has(key.id), `${state} at ${now}: ${JSON.stringify(key)}`).toBe(derived === state);
          compared++;
        }
      }
    }
    expect(compared).toBe(10 * STATES.length * KEYS);
  });

  it(`is what a model says, in its order: ${QUERIES} queries`, async () => {
    let found = 0;
    for (let index = 0; index < QUERIES; index++) {
      const query = randomQuery(prng);
      const expected = answerTo(query);
      expect(idsOf(await ask(query)), `KEY_FILTER_SEED=${SEED}: ${JSON.stringify(query)}`).toEqual(idsOf(expected));
      found += expected.length;
    }
    expect(found).toBeGreaterThan(QUERIES);
  });

  it.each(
    ORDERS.flatMap(
      (order) =>
        [
          [order, false],
          [order, true],
        ] as const,
    ),
  )("comes whole in pages by %s, descending: %s", async (order, descending) => {
    for (const limit of [7, 50, KEYS]) {
      const paged: Key[] = [];
      let pages = 0;
      for (let last: Key | undefined; pages === 0 || last !== undefined; pages++) {
        const after = last && positionIn(order, last);
        const page = await ask(aQuery({ order, descending, after, limit }));
        paged.push(...page);
        last = page.at(-1);
      }
      expect(idsOf(paged)).toEqual(idsOf(answerTo(aQuery({ order, descending }))));
      expect(pages).toBeGreaterThan(KEYS / limit);
    }
  });

  it.each(["%", "_", "\\", "b%", "100% s", "a_b"])("takes %j in a text as it is", async (text) => {
    const listed = await ask(aQuery({ filter: aFilter({ text }) }));
    expect(listed.length).toBeGreaterThan(0);
    expect(listed.length).toBe(keys.filter(({ displayName }) => displayName.includes(text)).length);
  });
});
