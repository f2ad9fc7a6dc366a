import type { DescMethodUnary } from "@bufbuild/protobuf";
import { createRegistry, toJson } from "@bufbuild/protobuf";
import { createClavis } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeyService } from "../../src/gen/clavis/v1/key_service_pb.ts";
import { SelfService } from "../../src/gen/clavis/v1/self_service_pb.ts";
import { file_google_rpc_error_details } from "../../src/gen/google/rpc/error_details_pb.ts";
import { idOf } from "../../src/ids.ts";
import { toUuid } from "../../src/postgres/columns.ts";
import { DAY_MS, HOUR_MS } from "../../src/time.ts";
import { methods, nameOf } from "../harness/contract.ts";
import { createPrng, type Prng } from "../harness/prng.ts";
import { allows, excessDeed, type Grant, reaches } from "../harness/rights-model.ts";
import { openTestService, type TestService } from "../harness/service.ts";
import { openSql, type Sql } from "../harness/sql.ts";
import { openTenantHome, type TenantHome } from "../harness/tenant-home.ts";
import { createTestClock } from "../harness/test-clock.ts";
import { openWire, type Wire } from "../harness/wire.ts";

/** Calls that the generator makes: as many as were promised, and ten times that where the environment says FULL=1. */
const STEPS = process.env.FULL === "1" ? 100_000 : 10_000;
const SEED = Number(process.env.PRIVILEGES_SEED ?? 20_260);
const STEPS_PER_WORLD = 200;
const WORLDS_AT_ONCE = 8;

const registry = createRegistry(file_google_rpc_error_details);

const stack = new AsyncDisposableStack();
const time = createTestClock();
let service: TestService;
let wire: Wire;
let sql: Sql;

beforeAll(async () => {
  service = stack.use(await openTestService({ clock: time.clock, env: { CLAVIS_DATABASE_CONNECTIONS: "20" } }));
  wire = stack.use(await openWire(service.url));
  sql = stack.use(await openSql(service.database.adminUrl));
});

afterAll(async () => {
  await stack.disposeAsync();
});

describe("a management key that holds less than another", () => {
  let home: TenantHome;
  const held = (permissions: string[], keyspaceIds: string[] = []) => ({
    permissions,
    allowedKeyspaceIds: keyspaceIds,
  });
  const admin = ["clavis.*"];

  beforeAll(async () => {
    home = stack.use(await openTenantHome(service));
  });

  it("does not switch it on again", async () => {
    const strong = await home.newManagementKey(held(admin));
    const weak = await home.newManagementKey(held(["clavis.management_keys.*"]));
    await home.clavis.keys.disable(strong.key.id);
    await expect(weak.clavis.keys.enable(strong.key.id)).rejects.toMatchObject({ reason: "GRANT_EXCEEDS_CALLER" });
    await expect(strong.clavis.keys.get(strong.key.id)).rejects.toMatchObject({ reason: "CREDENTIAL_REJECTED" });
    await home.clavis.keys.enable(strong.key.id);
    expect((await strong.clavis.keys.get(strong.key.id)).key.id).toBe(strong.key.id);
  });

  it("does not let it begin sooner", async () => {
    const strong = await home.newManagementKey({ ...held(admin), notBeforeTime: time.date(DAY_MS) });
    const weak = await home.newManagementKey(held(["clavis.management_keys.*"]));
    for (const notBeforeTime of [null, time.date(), time.date(HOUR_MS)]) {
      const change = weak.clavis.keys.update(strong.key.id, { notBeforeTime });
      await expect(change).rejects.toMatchObject({ reason: "GRANT_EXCEEDS_CALLER" });
    }
    await weak.clavis.keys.update(strong.key.id, { notBeforeTime: time.date(2 * DAY_MS) });
  });

  it("gets no secret of it by a rotation", async () => {
    const strong = await home.newManagementKey(held(admin));
    const weak = await home.newManagementKey(held(["clavis.management_keys.*"]));
    await expect(weak.clavis.keys.rotate(strong.key.id)).rejects.toMatchObject({ reason: "GRANT_EXCEEDS_CALLER" });
  });

  it("lists no management keys through a key that it holds to their keyspace", async () => {
    const weak = await home.newManagementKey(held(["clavis.keys.read", "clavis.management_keys.create"]));
    const made = await weak.clavis.keys.create({
      keyspaceId: home.managementKeyspaceId,
      displayName: "CI",
      ...held(["clavis.keys.read"], [home.managementKeyspaceId]),
    });
    const { answer } = await wire.call(KeyService.method.listKeys, {}, made.secret);
    expect(answer?.keys).toEqual([]);
  });

  it("is not ended by who kept a secret that it no longer has", async () => {
    const { key, secret } = await home.newManagementKey(held(admin));
    const { secret: present } = await home.clavis.keys.rotate(key.id);
    const answer = await wire.call(SelfService.method.revokeSelf, {}, secret);
    expect(answer).toMatchObject({ code: "unauthenticated", reason: "CREDENTIAL_REJECTED" });
    expect((await wire.call(SelfService.method.getSelf, {}, present)).code).toBe("ok");
  });
});

/** What the attackers begin with. The first is the one that must be kept in by name; the others stand beside it. */
const profiles: Readonly<
  Record<string, (places: readonly string[]) => Omit<Grant, "expireTime" | "addresses"> & Partial<Grant>>
> = {
  creator: ([first = ""]) => ({ permissions: ["clavis.keys.create"], keyspaceIds: [first] }),
  verifier: ([first = ""]) => ({ permissions: ["clavis.verify"], keyspaceIds: [first] }),
  reader: ([, second = ""]) => ({
    permissions: ["clavis.keys.read", "clavis.keyspaces.read", "clavis.audit.read"],
    keyspaceIds: [second],
  }),
  minter: ([first = ""]) => ({ permissions: ["clavis.management_keys.create"], keyspaceIds: [first] }),
  mintingCreator: ([first = ""]) => ({
    permissions: ["clavis.keys.create", "clavis.management_keys.*"],
    keyspaceIds: [first],
    addresses: ["127.0.0.0/8"],
    expireTime: time.now() + DAY_MS,
  }),
  landlord: ([first = "", second = ""]) => ({
    permissions: ["clavis.keys.*", "clavis.keyspaces.*", "clavis.management_keys.*", "clavis.audit.read"],
    keyspaceIds: [first, second],
  }),
  lister: () => ({
    permissions: ["clavis.keys.read", "clavis.management_keys.create", "clavis.audit.read"],
    keyspaceIds: [],
  }),
  switcher: () => ({ permissions: ["clavis.management_keys.update", "clavis.management_keys.read"], keyspaceIds: [] }),
  keeper: ([first = ""]) => ({ permissions: ["clavis.keys.*", "clavis.verify"], keyspaceIds: [first] }),
};

const ID = /\b(?:ten|ks|key|evt)_[0-7][0-9a-hjkmnp-tv-z]{25}\b/g;

/** A secret in an attacker's hands. */
interface Loot {
  readonly keyId: string;
  readonly secret: string;
  /** Whether it opens Clavis itself, for all that is known. */
  opens: boolean;
}

interface Sighting {
  readonly method: string;
  readonly id: string;
}

/** A tenant of its own, what is in it, and attackers that share all that they get. */
interface World {
  readonly tenantId: string;
  readonly keyspaceIds: string[];
  readonly managementKeyspaceId: string;
  /** Ids that attackers try: some are theirs to see, most are not. */
  readonly ids: { readonly keys: string[]; readonly keyspaces: string[]; readonly tenants: string[] };
  readonly bounds: readonly Grant[];
  readonly loot: Loot[];
  /** Methods that were refused for want of a permission: tried again, but rarely. */
  readonly closed: Set<string>;
  readonly seen: Set<string>;
  readonly sightings: Sighting[];
}

/** How much more often than others a method is tried: those that give something are, those that cannot refuse are not. */
const weights: Readonly<Record<string, number>> = {
  CreateKey: 8,
  BatchCreateKeys: 6,
  UpdateKey: 10,
  RotateKey: 8,
  EnableKey: 6,
  DisableKey: 3,
  ListKeys: 4,
  GetKey: 4,
  ListEvents: 3,
  GetSelf: 1,
  RevokeSelf: 1,
  BatchVerify: 1,
};
const weighted = methods.flatMap((method) => Array<DescMethodUnary>(weights[method.name] ?? 2).fill(method));

/** What may give somebody a right, and is looked into at once, before the next call takes it away again. */
const GIVING = new Set(["CreateKey", "BatchCreateKeys", "UpdateKey", "EnableKey", "RotateKey"]);

describe("attackers", () => {
  const successes = new Map<string, number>();
  const refusals = new Map<string, number>();
  let steps = 0;
  let stolen = 0;
  /** How often they were found to have switched off all that they had. */
  let lost = 0;

  it(`never get a right or see an id beyond what they began with, in ${STEPS} calls`, async () => {
    const foreign = await openTenantHome(service);
    const foreignKeyspace = await foreign.newKeyspace();
    const foreignKey = await foreign.newKey(foreignKeyspace.id);
    const strangers = {
      keys: [foreignKey.key.id, foreign.managementKeyId],
      keyspaces: [foreignKeyspace.id, foreign.managementKeyspaceId],
      tenants: [foreign.tenantId],
      secrets: [foreignKey.secret],
    };
    let next = 0;
    const worlds = STEPS / STEPS_PER_WORLD;
    async function work(): Promise<void> {
      while (next < worlds) {
        const seed = SEED + next++;
        try {
          await runWorld(createPrng(seed), seed, strangers);
        } catch (error) {
          throw new Error(`with PRIVILEGES_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
        }
      }
    }
    await Promise.all(Array.from({ length: WORLDS_AT_ONCE }, work));
    await foreign[Symbol.asyncDispose]();

    expect(steps).toBe(STEPS);
    // A generator that never gets anywhere proves nothing.
    expect(stolen).toBeGreaterThan(STEPS / 50);
    expect(lost).toBeLessThan(STEPS / 100);
    // A machine with too much to do may let a few calls wait for too long.
    expect(refusals.get("STORE_UNAVAILABLE") ?? 0).toBeLessThan(STEPS / 100);
    expect([...successes.keys()].length).toBeGreaterThan(18);
    for (const reason of ["GRANT_EXCEEDS_CALLER", "PERMISSION_MISSING", "KEY_NOT_FOUND", "KEYSPACE_NOT_FOUND"]) {
      expect(refusals.get(reason), reason).toBeGreaterThan(20);
    }
  }, 600_000);

  async function runWorld(prng: Prng, seed: number, strangers: Strangers): Promise<void> {
    const world = await openWorld(prng, seed, strangers);
    for (let step = 0; step < STEPS_PER_WORLD; step++) {
      await attack(prng, world, strangers);
      steps++;
    }
    await checkRights(world);
    await checkSightings(world);
    stolen += world.loot.length;
  }

  interface Strangers {
    readonly keys: readonly string[];
    readonly keyspaces: readonly string[];
    readonly tenants: readonly string[];
    readonly secrets: readonly string[];
  }

  async function openWorld(prng: Prng, seed: number, strangers: Strangers): Promise<World> {
    const tenant = await service.newTenant();
    const clavis = createClavis({ baseUrl: service.url, token: tenant.token });
    const make = async (keyspaceId: string, more: object = {}) =>
      clavis.keys.create({ keyspaceId, displayName: "x", ...more });
    const keyspaces = await Promise.all(
      ["one", "two", "three"].map((name) => clavis.keyspaces.create({ displayName: name, prefix: `${name}_live` })),
    );
    const keyspaceIds = keyspaces.map(({ keyspace }) => keyspace.id);
    const management = (permissions: string[], allowedKeyspaceIds: string[], more = {}) =>
      make(tenant.managementKeyspaceId, { permissions, allowedKeyspaceIds, ...more });

    const names = Object.keys(profiles);
    // One alone, for the strictest bound, or two that act in turn.
    const chosen =
      (seed - SEED) % 2 === 0
        ? [names[((seed - SEED) / 2) % names.length] ?? ""]
        : [prng.pick(names), prng.pick(names)];
    const bounds = chosen.map(
      (name) => ({ addresses: [], expireTime: null, ...profiles[name]?.(keyspaceIds) }) as Grant,
    );
    const loot: Loot[] = [];
    for (const bound of bounds) {
      const expiry = bound.expireTime === null ? {} : { expireTime: new Date(bound.expireTime) };
      const root = await management([...bound.permissions], [...bound.keyspaceIds], {
        allowedAddresses: bound.addresses,
        ...expiry,
      });
      loot.push({ keyId: root.key.id, secret: root.secret, opens: true });
    }
    // Rights that attackers once had, or are to have later: of no use to them, and to stay so.
    const off = await management(["clavis.*"], []);
    await clavis.keys.disable(off.key.id);
    const later = await management(["clavis.keys.*", "clavis.audit.read"], [], { notBeforeTime: time.date(DAY_MS) });
    loot.push(...[off, later].map(({ key, secret }) => ({ keyId: key.id, secret, opens: false })));

    const customers = await Promise.all(
      keyspaceIds.flatMap((id) => [make(id), make(id, { permissions: ["clavis.*"] })]),
    );
    const others = await Promise.all([
      management(["clavis.keys.*"], keyspaceIds.slice(0, 1)),
      management(["clavis.*"], keyspaceIds.slice(0, 2)),
      management(["clavis.keys.create"], keyspaceIds.slice(2)),
      management(["clavis.management_keys.*", "clavis.verify"], [], { allowedAddresses: ["127.0.0.1/32"] }),
    ]);
    await clavis.keys.revoke(customers[0]?.key.id ?? "");
    await clavis.keys.disable(others[0]?.key.id ?? "");
    await clavis.close();
    return {
      tenantId: tenant.tenantId,
      keyspaceIds,
      managementKeyspaceId: tenant.managementKeyspaceId,
      ids: {
        keys: [
          ...[...customers, ...others, off, later].map(({ key }) => key.id),
          tenant.managementKeyId,
          ...strangers.keys,
          ...loot.map(({ keyId }) => keyId),
        ],
        keyspaces: [...keyspaceIds, tenant.managementKeyspaceId, ...strangers.keyspaces],
        tenants: [tenant.tenantId, ...strangers.tenants],
      },
      bounds,
      loot,
      closed: new Set(),
      seen: new Set(),
      sightings: [],
    };
  }

  async function attack(prng: Prng, world: World, strangers: Strangers): Promise<void> {
    const open = weighted.filter((method) => !world.closed.has(nameOf(method)));
    const method = prng.pick(prng.chance(0.9) ? open : methods);
    const request = requestFor(prng, world, method, strangers);
    const useful = world.loot.filter(({ opens }) => opens);
    const loot = prng.pick(useful.length > 0 && prng.chance(0.9) ? useful : world.loot);
    const got = await wire.call(method, request as never, loot.secret);
    if (got.reason === "PERMISSION_MISSING") world.closed.add(nameOf(method));
    if (got.reason === "CREDENTIAL_REJECTED") loot.opens = false;
    const asked = new Set(
      JSON.stringify(request, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value)).match(ID),
    );
    if (got.answer === undefined) {
      refusals.set(got.reason, (refusals.get(got.reason) ?? 0) + 1);
      if (["internal", "unknown"].includes(got.code)) throw new Error(`${nameOf(method)}: ${got.code} ${got.message}`);
      const told = `${got.message} ${JSON.stringify(got.metadata)} ${got.fields.join()}`.match(ID) ?? [];
      const news = told.filter((id) => !asked.has(id));
      if (news.length > 0) throw new Error(`${nameOf(method)} fails with ${got.reason} and tells of ${news.join()}`);
      return;
    }
    successes.set(nameOf(method), (successes.get(nameOf(method)) ?? 0) + 1);
    const answer = toJson(method.output, got.answer, { registry }) as Record<string, unknown>;
    collect(method, world, answer);
    world.closed.delete(nameOf(method));
    for (const found of lootIn(world, answer)) {
      world.loot.push(found);
      world.ids.keys.push(found.keyId);
    }
    if (GIVING.has(method.name)) await checkRights(world);
  }

  /** Who did something is told with it, whether or not one may look that key up; and an item of a batch fails as a call does. */
  const untold = new Set(["actor", "actorId", "error"]);

  function collect(method: DescMethodUnary, world: World, answer: Record<string, unknown>): void {
    const text = JSON.stringify(answer, (name, value: unknown) => (untold.has(name) ? undefined : value));
    for (const id of new Set(text.match(ID))) {
      const at = `${method.name} ${id}`;
      if (!world.seen.has(at)) world.sightings.push({ method: method.name, id });
      world.seen.add(at);
    }
  }

  /** What came with a secret. */
  function lootIn({ managementKeyspaceId }: World, answer: Record<string, unknown>): Loot[] {
    const items = [answer, ...(Array.isArray(answer.keys) ? (answer.keys as Record<string, unknown>[]) : [])];
    return items.flatMap(({ key, secret }) => {
      const { id, keyspaceId } = (key ?? {}) as { id?: string; keyspaceId?: string };
      const opens = keyspaceId === managementKeyspaceId;
      return typeof secret === "string" && id !== undefined ? [{ keyId: id, secret, opens }] : [];
    });
  }

  async function checkRights(world: World): Promise<void> {
    const uuids = world.loot.map(({ keyId }) => toUuid("key", keyId));
    const rows = await sql.query<KeyRow>(
      `select key_id, permissions, allowed_keyspace_ids, allowed_addresses, expire_time from clavis.keys
       join clavis.keyspaces using (keyspace_id)
       where key_id = any ($1) and management and revoke_time is null and not keys.disabled
         and coalesce(not_before_time <= $2, true)`,
      [uuids, time.date()],
    );
    if (rows.length === 0) lost++;
    const places = [...world.keyspaceIds, world.managementKeyspaceId, "elsewhere"];
    const times = [time.now(), time.now() + HOUR_MS, time.now() + 1000 * DAY_MS];
    for (const row of rows) {
      const grant: Grant = {
        permissions: row.permissions,
        keyspaceIds: row.allowed_keyspace_ids.map((uuid) => idOf("ks", uuid)),
        addresses: row.allowed_addresses,
        expireTime: row.expire_time?.getTime() ?? null,
      };
      const deed = excessDeed(grant, world.bounds, places, times);
      if (deed !== undefined) {
        throw new Error(
          `got ${JSON.stringify(deed)} by ${JSON.stringify(grant)} beyond ${JSON.stringify(world.bounds)}`,
        );
      }
    }
  }

  interface KeyRow {
    readonly permissions: readonly string[];
    readonly allowed_keyspace_ids: readonly string[];
    readonly allowed_addresses: readonly string[];
    readonly expire_time: Date | null;
  }

  /** Holds all ids that were told against the audit log, which knows what each key was and is. */
  async function checkSightings(world: World): Promise<void> {
    const events = await sql.query<EventRow>(
      `select event_id, keyspace_id, coalesce(content->'after', content->'before') as resource from clavis.audit_events where tenant_id = $1`,
      [toUuid("ten", world.tenantId)],
    );
    const placeOfEvent = new Map(events.map((row) => [idOf("evt", row.event_id), row.keyspace_id]));
    const keys = new Map<string, { keyspaceId: string; heldTo: (readonly string[])[] }>();
    for (const { resource } of events) {
      if (resource?.type !== "key") continue;
      const { id, keyspaceId, allowedKeyspaceIds } = resource.key;
      const known = keys.get(id) ?? { keyspaceId, heldTo: [] };
      known.heldTo.push(allowedKeyspaceIds);
      keys.set(id, known);
    }
    for (const { method, id } of world.sightings) {
      if (!isTheirs(world, method, id, keys, placeOfEvent)) {
        throw new Error(
          `${method} told of ${id}: ${JSON.stringify(keys.get(id) ?? null)}, beyond ${JSON.stringify(world.bounds)}`,
        );
      }
    }
  }

  interface EventRow {
    readonly event_id: string;
    readonly keyspace_id: string | null;
    readonly resource:
      | { type: "key"; key: { id: string; keyspaceId: string; allowedKeyspaceIds: string[] } }
      | { type: "other" }
      | null;
  }

  function isTheirs(
    { bounds, tenantId, managementKeyspaceId, loot }: World,
    method: string,
    id: string,
    keys: ReadonlyMap<string, { keyspaceId: string; heldTo: readonly (readonly string[])[] }>,
    placeOfEvent: ReadonlyMap<string, string | null>,
  ): boolean {
    const handles = (grant: Grant) =>
      ["create", "read", "update", "rotate", "revoke", "delete"].some((action) =>
        allows(grant, `clavis.management_keys.${action}`),
      );

    if (method === "GetSelf" || method === "RevokeSelf") {
      const own = loot.map(({ keyId }) => keyId);
      return (
        id === tenantId ||
        own.includes(id) ||
        own.some((keyId) => [keys.get(keyId)?.keyspaceId, ...(keys.get(keyId)?.heldTo.flat() ?? [])].includes(id))
      );
    }
    const audits = (grant: Grant) => method === "ListEvents" && allows(grant, "clavis.audit.read");
    if (id.startsWith("ten_")) return id === tenantId && bounds.some((grant) => audits(grant) && reaches(grant, []));
    if (id.startsWith("ks_"))
      return bounds.some(
        (grant) =>
          (audits(grant) && reaches(grant, [id])) ||
          (id === managementKeyspaceId ? handles(grant) : reaches(grant, [id])),
      );
    if (id.startsWith("evt_")) {
      const place = placeOfEvent.get(id);
      return bounds.some((grant) => allows(grant, "clavis.audit.read") && reaches(grant, place == null ? [] : [place]));
    }
    const key = keys.get(id);
    if (key === undefined) return false;
    const isRead = method === "GetKey" || method === "ListKeys";
    return bounds.some((grant) => {
      if (method === "ListEvents") return audits(grant) && reaches(grant, [key.keyspaceId]);
      if (key.keyspaceId !== managementKeyspaceId)
        return reaches(grant, [key.keyspaceId]) && (!isRead || allows(grant, "clavis.keys.read"));
      const within = key.heldTo.some((places) => reaches(grant, places));
      return within && (isRead ? allows(grant, "clavis.management_keys.read") : handles(grant));
    });
  }

  /** A request that stands a chance: sound in most of its fields, greedy in some. */
  function requestFor(prng: Prng, world: World, method: DescMethodUnary, strangers: Strangers): object {
    const own = world.loot.map(({ keyId }) => keyId);
    const reached = world.bounds.flatMap(({ keyspaceIds }) => keyspaceIds);
    const keyId = prng.chance(0.95) ? prng.pick(prng.chance(0.4) ? own : world.ids.keys) : idOf("key", prng.uuid());
    const keyspaceId = prng.chance(0.95)
      ? prng.pick(prng.chance(0.6) ? [...reached, world.managementKeyspaceId] : world.ids.keyspaces)
      : idOf("ks", prng.uuid());
    const terms = () => termsFor(prng, world, keyspaceId);
    const tenantId = prng.pick(world.ids.tenants);
    const requestId = prng.chance(0.3) ? prng.uuid() : "";
    const keyId2 = { keyId, requestId };
    const requests: Readonly<Record<string, () => object>> = {
      CreateKeyspace: () => ({ displayName: "x", prefix: "mine_live", requestId }),
      GetKeyspace: () => ({ keyspaceId }),
      ListKeyspaces: () => ({ pageSize: prng.below(10) }),
      UpdateKeyspace: () => ({
        keyspaceId,
        keyspace: { displayName: "y", grantablePermissions: prng.chance(0.2) ? ["documents.*", "clavis.*"] : [] },
        requestId,
      }),
      DeleteKeyspace: () => ({ keyspaceId, requestId: "" }),
      CreateKey: () => ({ keyspaceId, requestId, ...terms() }),
      BatchCreateKeys: () => ({
        keyspaceId,
        requestId,
        keys: Array.from({ length: 1 + prng.below(3) }, terms),
      }),
      ImportKeys: () => ({
        keyspaceId,
        requestId,
        keys: [{ digest: prng.bytes(32).toString("hex"), spec: terms() }],
      }),
      GetKey: () => ({ keyId }),
      ListKeys: () => ({
        keyspaceId: prng.chance(0.5) ? "" : keyspaceId,
        pageSize: prng.below(50),
        orderBy: prng.pick(["", "display_name", "expire_time desc"]),
      }),
      UpdateKey: () => changeFor(prng, world, keyId2),
      DisableKey: () => ({ ...keyId2, force: prng.chance(0.2) }),
      EnableKey: () => keyId2,
      RotateKey: () => ({ ...keyId2, overlap: { seconds: BigInt(prng.below(1000)), nanos: 0 } }),
      CompleteRotation: () => keyId2,
      // Not of their own, or the world is over too soon.
      RevokeKey: () => ({ keyId: prng.pick(world.ids.keys.slice(0, 8)), requestId, force: prng.chance(0.1) }),
      BatchRevokeKeys: () => ({
        keyspaceId,
        filter: { text: prng.pick(["never", "x"]) },
        dryRun: prng.chance(0.9),
        requestId,
      }),
      DeleteKey: () => keyId2,
      Verify: () => ({
        keyspaceId,
        secret: prng.pick([...strangers.secrets, prng.pick(world.loot).secret]),
        permissions: prng.chance(0.5) ? ["documents.read"] : [],
      }),
      BatchVerify: () => ({
        requests: [
          { keyspaceId, secret: prng.pick(world.loot).secret },
          { keyspaceId, secret: prng.pick(strangers.secrets) },
        ],
      }),
      GetSelf: () => ({}),
      RevokeSelf: () => ({ maxWait: { seconds: -1n, nanos: 0 } }),
      CreateTenant: () => ({ displayName: "x" }),
      GetTenant: () => ({ tenantId }),
      ListTenants: () => ({}),
      UpdateTenant: () => ({ tenantId, tenant: { suspended: false } }),
      CreateManagementKey: () => ({ tenantId, displayName: "x" }),
      ListEvents: () => ({
        pageSize: 20,
        targetId: prng.chance(0.3) ? prng.pick([keyId, keyspaceId, tenantId]) : "",
        oldestFirst: prng.chance(0.5),
      }),
    };
    const make = requests[method.name];
    if (make === undefined) throw new Error(`nobody has said how to attack ${nameOf(method)}`);
    return make();
  }

  function termsFor(prng: Prng, world: World, keyspaceId: string): Record<string, unknown> {
    const bound = prng.pick(world.bounds);
    if (keyspaceId !== world.managementKeyspaceId && prng.chance(0.9))
      return { displayName: "x", permissions: ["clavis.*"] };
    return {
      displayName: "x",
      permissions: [
        ...new Set(
          greedy(prng, bound.permissions, [
            "clavis.*",
            "*",
            "clavis.keys.*",
            "clavis.keys.read",
            "clavis.management_keys.*",
            "clavis.management_keys.create",
            "clavis.verify",
            "documents.read",
          ]),
        ),
      ],
      allowedKeyspaceIds: [...new Set(greedy(prng, bound.keyspaceIds, [...world.ids.keyspaces, "none"]))].filter(
        (id) => id !== "none",
      ),
      allowedAddresses: greedy(prng, bound.addresses, ["127.0.0.1/32", "0.0.0.0/0", "::/0"]),
      ...(bound.expireTime === null || prng.chance(0.1)
        ? {}
        : {
            expiry: {
              case: "expireTime",
              value: { seconds: BigInt(Math.floor(bound.expireTime / 1000) + prng.pick([-60, -1, 1000])), nanos: 0 },
            },
          }),
    };
  }

  /** Mostly what one has, or a part of it; now and then something else, or nothing, which may mean everything. */
  function greedy(prng: Prng, own: readonly string[], others: readonly string[]): readonly string[] {
    const kind = prng.below(8);
    if (kind < 4) return own;
    if (kind === 4) return own.slice(0, 1);
    if (kind === 5) return [...own.slice(0, 1), prng.pick(others)];
    return kind === 6 ? [prng.pick(others)] : [];
  }

  function changeFor(prng: Prng, world: World, ref: object): object {
    const { expiry, ...terms } = termsFor(prng, world, world.managementKeyspaceId);
    const expireTime = (expiry as { value: unknown } | undefined)?.value;
    const key = { ...terms, displayName: "z", ...(expireTime !== undefined && { expireTime }) };
    const paths = [
      "permissions",
      "allowed_keyspace_ids",
      "allowed_addresses",
      "expire_time",
      "not_before_time",
      "display_name",
      "*",
    ];
    return { ...ref, key, updateMask: { paths: [prng.pick(paths)] } };
  }
});
