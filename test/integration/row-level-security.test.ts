import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNBACKED_TABLES } from "../../src/postgres/backup-tables.ts";
import { toUuid } from "../../src/postgres/columns.ts";
import { openSql, type Sql } from "../harness/sql.ts";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";

const { service, home: one } = await setUpHome();
const other = await openTenantHome(service);

/** What holds no tenant's data. */
const WITHOUT_TENANT = ["migrations", "migration_lock", ...UNBACKED_TABLES];

let admin: Sql;
let runtime: Sql;
let tables: string[];

beforeAll(async () => {
  admin = await openSql(service.database.adminUrl);
  runtime = await openSql(service.database.url);
  for (const home of [one, other]) {
    const { id } = await home.newKeyspace();
    await home.newKey(id);
  }
  const operator = one.clientFor(service.operatorToken);
  await operator.tenants.update(other.tenantId, { displayName: "Other" });
  tables = await tenantTables();
});

afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await runtime[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

/** The tables of Clavis, but for those that hold no tenant's data. */
async function tenantTables(): Promise<string[]> {
  const rows = await admin.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'clavis' and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1`,
  );
  return rows.map(({ name }) => name).filter((name) => !WITHOUT_TENANT.includes(name));
}

/** Runs `work` as the service does for `home`, or for nobody, and takes it back. */
async function within<T>(settings: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  await runtime.query("begin");
  try {
    for (const [name, value] of Object.entries(settings))
      await runtime.query("select set_config($1, $2, true)", [name, value]);
    return await work();
  } finally {
    await runtime.query("rollback");
  }
}

const forTenant = (tenantId: string) => ({ "clavis.tenant_id": toUuid("ten", tenantId) });
const asOperator = { "clavis.operator": "on" };

async function countOf(sql: Sql, table: string, where = "true", values: readonly unknown[] = []): Promise<number> {
  const [row] = await sql.query<{ count: string }>(
    `select count(*) as count from clavis.${table} where ${where}`,
    values,
  );
  return Number(row?.count);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "no error",
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
}

/** What the catalogue says against a schema in which nothing may be told across tenants. */
async function openDoors(): Promise<string[]> {
  const rows = await admin.query<{ door: string }>(
    `select format('table %s has no row-level security', c.relname) as door
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'clavis' and c.relkind in ('r', 'p') and not c.relrowsecurity and c.relname <> all ($1)
     union all
     select format('%s is a view, which runs with its owner''s rights', c.relname)
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'clavis' and c.relkind in ('v', 'm', 'f')
     union all
     select format('table %s is open to everybody', c.relname)
       from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
       where n.nspname = 'clavis' and a.grantee = 0
     union all
     select format('function %s is open to everybody', p.proname)
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
       where n.nspname = 'clavis' and a.grantee = 0
     union all
     select format('function %s runs as its owner with a search path of its caller''s', p.proname)
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname = 'clavis' and p.prosecdef and not coalesce(array_to_string(p.proconfig, ','), '') like 'search_path=%'
     union all
     select format('policy %s on %s lets all rows pass', polname, c.relname)
       from pg_policy join pg_class c on c.oid = polrelid
       where pg_get_expr(polqual, polrelid) = 'true' or pg_get_expr(polwithcheck, polrelid) = 'true'
     union all
     select 'the schema is open to everybody' from pg_namespace n, aclexplode(n.nspacl) a
       where n.nspname = 'clavis' and a.grantee = 0`,
    [WITHOUT_TENANT],
  );
  return rows.map(({ door }) => door);
}

describe("the schema", () => {
  it("has no open door", async () => {
    expect(tables.length).toBeGreaterThanOrEqual(7);
    expect(await openDoors()).toEqual([]);
  });

  it("would be caught with one", async () => {
    await admin.query("create table clavis.planted (tenant_id uuid)");
    await admin.query("create view clavis.window_on_keys as select * from clavis.keys");
    await admin.query("create function clavis.planted() returns int language sql security definer as 'select 1'");
    await admin.query("create policy planted on clavis.keys using (true)");
    try {
      expect((await openDoors()).sort()).toEqual([
        "function planted is open to everybody",
        "function planted runs as its owner with a search path of its caller's",
        "policy planted on keys lets all rows pass",
        "table planted has no row-level security",
        "window_on_keys is a view, which runs with its owner's rights",
      ]);
    } finally {
      await admin.query("drop policy planted on clavis.keys");
      await admin.query("drop function clavis.planted");
      await admin.query("drop view clavis.window_on_keys");
      await admin.query("drop table clavis.planted");
    }
  });

  it("binds the role that the service runs as", async () => {
    const [role] = await runtime.query<Record<string, boolean>>(
      `select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb as mighty,
              has_schema_privilege('clavis', 'create') as creates, has_database_privilege(current_database(), 'create') as creates_schemas
       from pg_roles where rolname = current_user`,
    );
    expect(role).toEqual({ mighty: false, creates: false, creates_schemas: false });
    for (const table of tables) {
      expect(await codeOf(runtime.query(`alter table clavis.${table} disable row level security`)), table).toBe(
        "42501",
      );
      expect(await codeOf(runtime.query(`truncate clavis.${table} cascade`)), table).toBe("42501");
    }
    expect(await codeOf(runtime.query("set role postgres"))).toBe("42501");
    expect(await codeOf(runtime.query("set row_security = off; select count(*) from clavis.keys"))).toBe("42501");
    await runtime.query("set row_security = on");
  });
});

describe("a connection", () => {
  it("sees nothing before it says for which tenant", async () => {
    let rows = 0;
    for (const table of tables) {
      const there = await countOf(admin, table);
      expect(there, table).toBeGreaterThan(0);
      rows += there;
      expect(await countOf(runtime, table), table).toBe(0);
      for (const nobody of ["", randomUUID()]) {
        expect(await within({ "clavis.tenant_id": nobody }, () => countOf(runtime, table)), table).toBe(0);
      }
    }
    expect(rows).toBeGreaterThan(20);
  });

  it("sees its tenant's rows, all of them and no others", async () => {
    const uuid = toUuid("ten", one.tenantId);
    const stranger = toUuid("ten", other.tenantId);
    for (const table of tables) {
      await within(forTenant(one.tenantId), async () => {
        expect(await countOf(runtime, table), table).toBe(await countOf(admin, table, "tenant_id = $1", [uuid]));
        expect(await countOf(runtime, table), table).toBeGreaterThan(0);
        expect(await countOf(runtime, table, "tenant_id <> $1", [uuid]), table).toBe(0);
        expect(await countOf(runtime, table, "tenant_id = $1", [stranger]), table).toBe(0);
      });
    }
  });

  it("changes and removes no other tenant's rows", async () => {
    const stranger = toUuid("ten", other.tenantId);
    let tried = 0;
    for (const table of tables) {
      const before = await admin.query(`select * from clavis.${table} t order by t`);
      for (const statement of [
        `update clavis.${table} set tenant_id = tenant_id where tenant_id = $1 returning 1`,
        `delete from clavis.${table} where tenant_id = $1 returning 1`,
      ]) {
        tried++;
        const done = await within(forTenant(one.tenantId), async () =>
          runtime.query(statement, [stranger]).catch((error: unknown) => error),
        );
        if (Array.isArray(done)) expect(done, statement).toEqual([]);
        else expect((done as { code: string }).code, statement).toBe("42501");
      }
      expect(await admin.query(`select * from clavis.${table} t order by t`), table).toEqual(before);
    }
    expect(tried).toBe(2 * tables.length);
  });

  it("adds no rows to another tenant, and gives it none of its own", async () => {
    const stranger = toUuid("ten", other.tenantId);
    for (const table of tables) {
      const [row] = await admin.query<{ row: object }>(
        `select to_jsonb(t) as row from clavis.${table} t where tenant_id = $1 limit 1`,
        [stranger],
      );
      const add = `insert into clavis.${table} select * from jsonb_populate_record(null::clavis.${table}, $1)`;
      expect(await codeOf(within(forTenant(one.tenantId), () => runtime.query(add, [row?.row]))), table).toBe("42501");
      const move = `update clavis.${table} set tenant_id = $1`;
      expect(await codeOf(within(forTenant(one.tenantId), () => runtime.query(move, [stranger]))), table).toBe("42501");
    }
  });

  it("of the operator sees tenants and the answers kept for it, and nothing that is a tenant's", async () => {
    await within(asOperator, async () => {
      expect(await countOf(runtime, "tenants")).toBe(await countOf(admin, "tenants"));
      expect(await countOf(runtime, "replays")).toBe(await countOf(admin, "replays", "principal like 'operator:%'"));
      expect(await countOf(runtime, "replays")).toBeGreaterThan(0);
      for (const table of tables.filter((name) => !["tenants", "replays"].includes(name)))
        expect(await countOf(runtime, table), table).toBe(0);
      expect(await runtime.query("update clavis.tenants set suspended = true returning 1")).toEqual([]);
    });
  });

  it("changes and removes no event, be it its own tenant's", async () => {
    for (const statement of [
      "update clavis.audit_events set type = type",
      "delete from clavis.audit_events",
      "delete from clavis.audit_heads",
      "delete from clavis.tenants",
    ]) {
      expect(await codeOf(within(forTenant(one.tenantId), () => runtime.query(statement))), statement).toBe("42501");
    }
  });

  it("looks secrets up by nothing but their whole digests", async () => {
    const find = (digest: Buffer | undefined) => runtime.query("select * from clavis.find_secrets($1)", [[digest]]);
    const [known] = await admin.query<{ digest: Buffer }>("select digest from clavis.key_secrets limit 1");
    expect(await find(known?.digest)).toHaveLength(1);
    for (const digest of [Buffer.alloc(0), Buffer.alloc(32), known?.digest.subarray(0, 31), undefined])
      expect(await find(digest)).toEqual([]);
  });
});
