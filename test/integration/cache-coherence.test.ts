import { createHash, randomUUID } from "node:crypto";
import {
  type Clavis,
  ClavisError,
  createClavis,
  Outcome,
  type OutcomeName,
  outcomeName,
  type Reason,
  type VerifyInput,
} from "@clavis/sdk";
import { afterAll, describe, expect, it } from "vitest";
import { toUuid } from "../../src/postgres/columns.ts";
import { metricOf } from "../harness/metric-of.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openTestService } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTenantHome, type TenantHome } from "../harness/tenant-home.ts";
import { createTestClock } from "../harness/test-clock.ts";
import { until } from "../harness/until.ts";

// Two replicas: what is changed through the one, the other has cached.
const stack = new AsyncDisposableStack();
afterAll(async () => await stack.disposeAsync());
const time = createTestClock();
const { clock } = time;
const database = stack.use(await openTestDatabase());
const one = stack.use(await openTestService({ database, clock }));
const other = stack.use(await openTestService({ database, clock }));
const sql = stack.use(await openSql(database.adminUrl));
/** Longer than it takes for all replicas to tell, and shorter than an available keyspace's bound. */
const maxWait = { seconds: 30 };

/** An outcome, or why there is none. */
type Verdict = OutcomeName | Reason;

/** A tenant with a key that the other replica answers for from memory. */
interface Warm {
  readonly home: TenantHome;
  readonly operator: Clavis;
  readonly keyspaceId: string;
  readonly keyId: string;
  readonly secret: string;
  /** What the other replica says, of that secret unless another is asked about. */
  readonly ask: (more?: Partial<VerifyInput>) => Promise<Verdict>;
  /** Asks until it is answered from memory: the first answer may have had to be read. */
  readonly warm: (more?: Partial<VerifyInput>) => Promise<Verdict>;
}

interface Taken {
  /** Brings about what there is to take away. */
  readonly before?: (warm: Warm) => Promise<unknown>;
  readonly change: (warm: Warm) => Promise<unknown>;
  readonly ask?: Partial<VerifyInput>;
  readonly last: Verdict;
}

const taken: Readonly<Record<string, Taken>> = {
  "a revocation": {
    change: ({ home, keyId }) => home.clavis.keys.revoke(keyId, { maxWait }),
    last: "REVOKED",
  },
  "a revocation of many": {
    change: ({ home, keyspaceId }) => home.clavis.keys.batchRevoke({ keyspaceId, filter: {}, maxWait }),
    last: "REVOKED",
  },
  "a revocation by who found the secret": {
    change: ({ home, secret }) => home.clientFor(secret).self.revoke({ maxWait }),
    last: "REVOKED",
  },
  "a key switched off": {
    change: ({ home, keyId }) => home.clavis.keys.disable(keyId, { maxWait }),
    last: "DISABLED",
  },
  "a permission taken away": {
    change: ({ home, keyId }) => home.clavis.keys.update(keyId, { permissions: ["documents.write"] }, { maxWait }),
    ask: { permissions: ["documents.read"] },
    last: "INSUFFICIENT_PERMISSIONS",
  },
  "an address taken away": {
    change: ({ home, keyId }) => home.clavis.keys.update(keyId, { allowedAddresses: ["192.0.2.0/24"] }, { maxWait }),
    ask: { clientIp: "198.51.100.1" },
    last: "ADDRESS_DENIED",
  },
  "an expiry that comes sooner": {
    async change({ home, keyId }) {
      await home.clavis.keys.update(keyId, { expireTime: time.date(1000) }, { maxWait });
      time.advance(1000);
    },
    last: "EXPIRED",
  },
  "a beginning that is to come": {
    change: ({ home, keyId }) => home.clavis.keys.update(keyId, { notBeforeTime: time.date(3_600_000) }, { maxWait }),
    last: "NOT_YET_VALID",
  },
  "a rotation": {
    change: ({ home, keyId }) => home.clavis.keys.rotate(keyId, { maxWait }),
    last: "ROTATED",
  },
  "the end of an overlap": {
    before: ({ home, keyId }) => home.clavis.keys.rotate(keyId, { overlap: { days: 1 }, maxWait }),
    change: ({ home, keyId }) => home.clavis.keys.completeRotation(keyId, { maxWait }),
    last: "ROTATED",
  },
  "a keyspace switched off": {
    change: ({ home, keyspaceId }) => home.clavis.keyspaces.update(keyspaceId, { disabled: true }, { maxWait }),
    last: "KEYSPACE_DISABLED",
  },
  "a tenant suspended": {
    change: ({ home, operator }) => operator.tenants.update(home.tenantId, { suspended: true }, { maxWait }),
    last: "TENANT_SUSPENDED",
  },
};

describe("what is taken away through one replica is refused by the other as soon as that is answered:", () => {
  it.each(Object.entries(taken))("%s", async (_, { before, change, ask = {}, last }) => {
    const warm = await aWarmKey();
    await before?.(warm);
    expect(await warm.warm(ask)).toBe("VALID");
    const early = await metricOf(one, EARLY);
    await change(warm);
    expect(await warm.ask(ask)).toBe(last);
    // Not because it had waited for all leases to end.
    expect((await metricOf(one, EARLY)) - early).toBe(1);
  });
});

interface Given {
  readonly before: (warm: Warm) => Promise<unknown>;
  readonly first: Verdict;
  readonly change: (warm: Warm) => Promise<unknown>;
  readonly ask?: Partial<VerifyInput>;
  readonly last?: Verdict;
}

const given: Readonly<Record<string, Given>> = {
  "a key switched on": {
    before: ({ home, keyId }) => home.clavis.keys.disable(keyId),
    first: "DISABLED",
    change: ({ home, keyId }) => home.clavis.keys.enable(keyId),
  },
  "a permission": {
    before: async () => {},
    first: "INSUFFICIENT_PERMISSIONS",
    change: ({ home, keyId }) => home.clavis.keys.update(keyId, { permissions: ["documents.*", "billing.read"] }),
    ask: { permissions: ["billing.read"] },
  },
  "more time": {
    async before({ home, keyId }) {
      await home.clavis.keys.update(keyId, { expireTime: time.date(1000) });
      time.advance(1000);
    },
    first: "EXPIRED",
    change: ({ home, keyId }) => home.clavis.keys.update(keyId, { expireTime: null }),
  },
  "a keyspace switched on": {
    before: ({ home, keyspaceId }) => home.clavis.keyspaces.update(keyspaceId, { disabled: true }),
    first: "KEYSPACE_DISABLED",
    change: ({ home, keyspaceId }) => home.clavis.keyspaces.update(keyspaceId, { disabled: false }),
  },
  "a tenant that goes on": {
    before: ({ home, operator }) => operator.tenants.update(home.tenantId, { suspended: true }),
    first: "TENANT_SUSPENDED",
    change: ({ home, operator }) => operator.tenants.update(home.tenantId, { suspended: false }),
  },
  "a key that is gone altogether": {
    before: ({ home, keyId }) => home.clavis.keys.revoke(keyId),
    first: "REVOKED",
    change: ({ home, keyId }) => home.clavis.keys.delete(keyId),
    last: "NOT_FOUND",
  },
};

describe("what is changed for the better through one replica the other finds out by itself:", () => {
  it.each(Object.entries(given))("%s", async (_, { before, first, change, ask = {}, last = "VALID" }) => {
    const warm = await aWarmKey();
    await before(warm);
    expect(await warm.warm(ask)).toBe(first);
    await change(warm);
    await until(`it is ${last}`, async () => (await warm.ask(ask)) === last);
  });

  it("a secret that was asked for before somebody imported it", async () => {
    const { home, ask, keyspaceId } = await aWarmKey();
    const secret = `legacy-${randomUUID()}`;
    const asHere = () => home.outcomeOf(secret, keyspaceId);
    expect([await ask({ secret }), await asHere()]).toEqual(["NOT_FOUND", Outcome.NOT_FOUND]);
    const digest = createHash("sha256").update(secret).digest("hex");
    await home.clavis.keys.import({ keyspaceId, keys: [{ digest, spec: { displayName: "legacy" } }] });
    // The replica that was told so itself knows it at once.
    expect(await asHere()).toBe(Outcome.VALID);
    await until("it is valid there", async () => (await ask({ secret })) === "VALID");
  });
});

describe("the rights of who verifies", () => {
  it("end on the other replica as soon as it is answered that they do, and come back", async () => {
    const { home, secret, keyspaceId } = await aWarmKey();
    const { clavis } = home;
    const caller = await home.newManagementKey({ permissions: ["clavis.verify", "clavis.keys.read"] });
    const there = stackedClient(caller.secret);
    const ask = () => verdictOf(there, { secret, keyspaceId });
    expect(await warmed(ask)).toBe("VALID");

    await clavis.keys.update(caller.key.id, { permissions: ["clavis.keys.read"] }, { maxWait });
    expect(await ask()).toBe("PERMISSION_MISSING");
    await clavis.keys.update(caller.key.id, { permissions: ["clavis.verify"] });
    await until("it may verify again", async () => (await ask()) === "VALID");
    expect(await warmed(ask)).toBe("VALID");
    await clavis.keys.revoke(caller.key.id, { maxWait });
    expect(await ask()).toBe("CREDENTIAL_REJECTED");
  });
});

describe("what is changed in Postgres by hand", () => {
  it.each([
    ["a key", "update clavis.keys set disabled = true where key_id = $1", "DISABLED"],
    ["a keyspace", "update clavis.keyspaces set disabled = true where keyspace_id = $2", "KEYSPACE_DISABLED"],
    ["a tenant", "update clavis.tenants set suspended = true where tenant_id = $3", "TENANT_SUSPENDED"],
    ["a key that is deleted", "delete from clavis.keys where key_id = $1", "NOT_FOUND"],
  ])("is noticed: %s", async (_, statement, last) => {
    const { home, keyId, keyspaceId, warm, ask } = await aWarmKey();
    expect(await warm()).toBe("VALID");
    // Each statement names one of the three.
    const ids = `with ids as (select $1::uuid, $2::uuid, $3::uuid) ${statement}`;
    await sql.query(ids, [toUuid("key", keyId), toUuid("ks", keyspaceId), toUuid("ten", home.tenantId)]);
    await until(`it is ${last}`, async () => (await ask()) === last);
  });

  it("gets a version of its own, also where whoever changed it has set one back", async () => {
    const { keyId } = await aWarmKey();
    const id = toUuid("key", keyId);
    const versions = [];
    for (const set of ["disabled = true", "disabled = false, version = 1", "owner_id = 'x', version = 9"]) {
      const [row] = await sql.query(`update clavis.keys set ${set} where key_id = $1 returning version`, [id]);
      versions.push(Number(row?.version));
    }
    expect(versions).toEqual([2, 3, 9]);
    const told = await sql.query("select version from clavis.changes where entity_id = $1 order by version", [id]);
    expect(told.map(({ version }) => Number(version))).toEqual([2, 3, 9]);
  });
});

const EARLY = 'clavis_effect_seconds_count{manner="early"}';
const FROM_MEMORY = 'clavis_lookups_total{layer="memory"}';
const FROM_POSTGRES = 'clavis_lookups_total{layer="postgres"}';

async function aWarmKey(): Promise<Warm> {
  const home = stack.use(await openTenantHome(one));
  const { id: keyspaceId } = await home.newKeyspace();
  const { key, secret } = await home.newKey(keyspaceId, { permissions: ["documents.*"] });
  const there = stackedClient(home.token);
  const ask = (more: Partial<VerifyInput> = {}) => verdictOf(there, { secret, keyspaceId, ...more });
  const operator = home.clientFor(one.operatorToken);
  return { home, operator, keyspaceId, keyId: key.id, secret, ask, warm: (more) => warmed(() => ask(more)) };
}

/** What is asked until the other replica has looked nowhere but in its memory for it. */
function warmed(ask: () => Promise<Verdict>): Promise<Verdict> {
  return until("it is answered from memory", async () => {
    const [memory, postgres] = [await metricOf(other, FROM_MEMORY), await metricOf(other, FROM_POSTGRES)];
    const verdict = await ask();
    // The caller's credential, and the secret.
    const fromMemory = (await metricOf(other, FROM_MEMORY)) - memory;
    return fromMemory === 2 && (await metricOf(other, FROM_POSTGRES)) === postgres && verdict;
  });
}

function stackedClient(token: string): Clavis {
  return stack.use(createClavis({ baseUrl: other.url, token }));
}

async function verdictOf(clavis: Clavis, request: VerifyInput): Promise<Verdict> {
  try {
    return outcomeName((await clavis.verify(request)).outcome);
  } catch (error) {
    if (error instanceof ClavisError) return error.reason;
    throw error;
  }
}
