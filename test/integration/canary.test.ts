import { hash, randomBytes, randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { create, type DescMethodUnary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { KeyService } from "../../src/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../src/gen/clavis/v1/keyspace_service_pb.ts";
import { SelfService } from "../../src/gen/clavis/v1/self_service_pb.ts";
import { TenantService } from "../../src/gen/clavis/v1/tenant_service_pb.ts";
import { Outcome, VerifyService } from "../../src/gen/clavis/v1/verify_service_pb.ts";
import { createLog } from "../../src/log.ts";
import { createSecrets } from "../../src/secret.ts";
import { startServer } from "../../src/server.ts";
import { methods, nameOf } from "../harness/contract.ts";
import { createLeakScanner, type LeakScanner } from "../harness/leak-scanner.ts";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";
import { openTestService, type TestService, testEnvironment } from "../harness/service.ts";
import { openSql, type Sql } from "../harness/sql.ts";
import { textPlaces } from "../harness/text-places.ts";
import { until } from "../harness/until.ts";
import { envelope, openWire, PROTOCOLS, pathOf, type Wire, type WireAnswer } from "../harness/wire.ts";

const stack = new AsyncDisposableStack();
const secrets = createLeakScanner();
const digests = createLeakScanner();
/** What was written to the console, where nothing belongs. */
const printed: string[] = [];
/** All that was answered, but for the fields that give a new secret to who made it. */
const answered: { readonly name: string; readonly text: string }[] = [];
const newSecret = createSecrets();

let database: TestDatabase;
let service: TestService;
let wire: Wire;
let admin: Sql;
let token: string;
let keyspaceId: string;
let managementKeyspaceId: string;
let tenantId: string;
/** A customer's secret, with which GetSelf and RevokeSelf are called. */
let expendable: string;

function watched(name: string, secret: string): string {
  secrets.watch(name, secret);
  const digest = hash("sha256", secret, "buffer");
  for (const text of [digest.toString("hex"), digest.toString("base64"), digest.toString("base64url")])
    digests.watch(`the digest of ${name}`, text);
  return secret;
}

beforeAll(async () => {
  for (const stream of [process.stdout, process.stderr]) {
    const spy = vi.spyOn(stream, "write").mockImplementation((text) => {
      printed.push(Buffer.from(text).toString());
      return true;
    });
    stack.defer(() => spy.mockRestore());
  }
  for (const name of ["log", "info", "warn", "error", "debug"] as const) {
    const spy = vi
      .spyOn(console, name)
      .mockImplementation((...parts) => void printed.push(inspect(parts, { depth: 10, showHidden: true })));
    stack.defer(() => spy.mockRestore());
  }
  database = stack.use(await openTestDatabase());
  const url = database.url.replace(
    /^(postgres(?:ql)?:\/\/[^@/]+)@/,
    `$1:${watched("the database's password", randomBytes(30).toString("hex"))}@`,
  );
  expect(url).not.toBe(database.url);
  const rootKey = randomBytes(32);
  for (const form of ["base64", "hex"] as const) watched("the root key", rootKey.toString(form));
  const operatorKey = watched(
    "the operator's key",
    `operator_${randomBytes(32).toString("base64url").replaceAll("_", "x")}`,
  );
  const env = {
    CLAVIS_DATABASE_URL: url,
    CLAVIS_ROOT_KEYS: `test:${rootKey.toString("base64")}`,
    CLAVIS_OPERATOR_KEYS: operatorKey,
  };
  service = stack.use(await openTestService({ database, env, logLevel: "debug" }));
  wire = stack.use(await openWire(service.url));
  admin = stack.use(await openSql(database.adminUrl));

  const made = await wire.call(TenantService.method.createTenant, { displayName: "Canary" }, operatorKey);
  token = watched("a management key", made.answer?.managementSecret ?? "");
  tenantId = made.answer?.tenant?.id ?? "";
  managementKeyspaceId = made.answer?.tenant?.managementKeyspaceId ?? "";
  const { answer } = await wire.call(
    KeyspaceService.method.createKeyspace,
    { displayName: "x", prefix: "canary" },
    token,
  );
  keyspaceId = answer?.keyspace?.id ?? "";
  for (const displayName of ["one that stays", "one that goes"]) {
    const issued = await wire.call(KeyService.method.createKey, { keyspaceId, displayName }, token);
    expendable = watched("a customer's secret", issued.answer?.secret ?? "");
  }
});

afterAll(async () => {
  await stack.disposeAsync();
});

function note(name: string, answer: WireAnswer): WireAnswer {
  answered.push({
    name,
    text: `${answer.everything}\n${answer.message}\n${JSON.stringify(answer.metadata)}\n${answer.fields.join()}`,
  });
  return answer;
}

function tokenFor(method: DescMethodUnary): string {
  if (method.parent.name === "TenantService") return service.operatorToken;
  return method.parent.name === "SelfService" ? expendable : token;
}

async function send(name: string, request: Parameters<Wire["send"]>[0]): Promise<WireAnswer> {
  return note(name, await wire.send(request));
}

/** Makes, looks at, changes and ends a key, with new secrets all along. */
async function liveAKeysLife(): Promise<string[]> {
  const { method } = KeyService;
  const requestId = randomUUID();
  secrets.watch("a request id", requestId.replaceAll("-", ""));
  const request = { keyspaceId, displayName: "x", requestId, permissions: ["documents.*"] };
  const first = await wire.call(method.createKey, request, token);
  const again = await wire.call(method.createKey, request, token);
  expect(again.answer).toEqual(first.answer);
  const keyId = first.answer?.key?.id ?? "";
  const made = [watched("a created secret", first.answer?.secret ?? "")];
  const batch = await wire.call(
    method.batchCreateKeys,
    { keyspaceId, keys: [{ displayName: "x" }, { displayName: "y" }], requestId: randomUUID() },
    token,
  );
  for (const { secret } of batch.answer?.keys ?? []) made.push(watched("a secret of a batch", secret));
  const rotated = await wire.call(
    method.rotateKey,
    { keyId, overlap: { seconds: 60n, nanos: 0 }, requestId: randomUUID() },
    token,
  );
  made.push(watched("a rotated secret", rotated.answer?.secret ?? ""));
  const manager = await wire.call(
    method.createKey,
    { keyspaceId: managementKeyspaceId, displayName: "x", permissions: ["clavis.verify"] },
    token,
  );
  made.push(watched("another management key", manager.answer?.secret ?? ""));
  const way = await wire.call(
    TenantService.method.createManagementKey,
    { tenantId, displayName: "x" },
    service.operatorToken,
  );
  made.push(watched("the way back in", way.answer?.secret ?? ""));
  const imported = watched("an imported secret", `elsewhere-${randomBytes(24).toString("hex")}`);
  for (const form of ["hex", "base64"] as const) {
    const digest = hash("sha256", imported, "buffer").toString(form);
    note(
      "ImportKeys",
      await wire.call(method.importKeys, { keyspaceId, keys: [{ digest, spec: { displayName: "x" } }] }, token),
    );
  }
  made.push(imported);
  expect(made.every((secret) => secret.length > 20)).toBe(true);

  for (const secret of made) {
    for (const place of [keyspaceId, managementKeyspaceId]) {
      for (const permissions of [[], ["documents.read"], ["billing.write"]]) {
        note("Verify", await wire.call(VerifyService.method.verify, { secret, keyspaceId: place, permissions }, token));
      }
    }
    note(
      "BatchVerify",
      await wire.call(VerifyService.method.batchVerify, { requests: [{ secret, keyspaceId }, { secret }] }, token),
    );
    note("GetSelf", await wire.call(SelfService.method.getSelf, {}, secret));
    note("GetKey", await wire.call(method.getKey, { keyId }, secret));
  }
  note("GetKey", await wire.call(method.getKey, { keyId }, token));
  note("ListKeys", await wire.call(method.listKeys, {}, token));
  note("UpdateKey", await wire.call(method.updateKey, { keyId, key: { displayName: "z" } }, token));
  note("CompleteRotation", await wire.call(method.completeRotation, { keyId }, token));
  note("RevokeSelf", await wire.call(SelfService.method.revokeSelf, {}, made.at(-1)));
  note("RevokeKey", await wire.call(method.revokeKey, { keyId }, token));
  note("DeleteKey", await wire.call(method.deleteKey, { keyId }, token));
  return made;
}

/** Texts with which alone a request is sound, and so is kept as its caller wants it. */
const kept = new Set(["TenantService/CreateTenant display_name", "SelfService/RevokeSelf reason_text"]);

/** Sends secrets wherever they do not belong, so that something is refused or cannot be read. */
async function sendAstray(): Promise<number> {
  const before = answered.length;
  const stray = (name: string) => watched(name, newSecret("canary").reveal());
  for (const method of methods) {
    const path = pathOf(method);
    for (const { field, init } of textPlaces(method.input)) {
      if (kept.has(`${nameOf(method)} ${field}`)) continue;
      const body = toBinary(method.input, create(method.input, init(stray(`a secret as ${field}`)) as never));
      await send(`${nameOf(method)} ${field}`, { path, body, token: tokenFor(method) });
    }
    const secret = stray("a secret in a request that cannot be read");
    const json = [
      `{"secret": ${secret}}`,
      `{"secret": ["${secret}"]}`,
      `"${secret}"`,
      `{"${secret}": 1}`,
      `{"query": "${secret}"}`,
      `{"keyId": {"a": "${secret}"}}`,
      `{"keys": [{"digest": {"${secret}": "${secret}"}}]}`,
      `{"keyspaceId": "\\ud800${secret}"}`,
      `${secret}`,
      `{"reason": "${secret}", "maxWait": "${secret}", "updateMask": "${secret}", "states": ["${secret}"]}`,
    ];
    for (const body of json)
      await send(`${nameOf(method)} in JSON`, { path, body, protocol: "connect+json", token: tokenFor(method) });
    for (const protocol of PROTOCOLS) {
      await send(`${nameOf(method)} as a body`, { path, body: secret, protocol, token: tokenFor(method) });
      await send(`${nameOf(method)} with a bad token`, {
        path,
        body: "",
        protocol,
        token: stray("a bearer that nobody knows"),
      });
      await send(`${nameOf(method)} with two tokens`, {
        path,
        body: "",
        protocol,
        headers: { authorization: `Bearer ${secret} ${secret}` },
      });
      await send(`${nameOf(method)} compressed`, {
        path,
        body: envelope(Buffer.from(secret), 1),
        framed: true,
        protocol,
        token: tokenFor(method),
        headers: { "grpc-encoding": secret, "content-encoding": secret },
      });
      await send(`${nameOf(method)} with a timeout`, {
        path,
        body: "",
        protocol,
        token: tokenFor(method),
        headers: { "grpc-timeout": secret, "connect-timeout-ms": secret },
      });
    }
    await send(`${nameOf(method)} by GET`, {
      path: `${path}?message=${secret}&encoding=json`,
      body: "",
      method: "GET",
      token: tokenFor(method),
    });
    await send(`nothing`, { path: `/${secret}`, body: "", token: tokenFor(method) });
  }
  return answered.length - before;
}

/** Calls everything while something is broken, with secrets wherever they belong. */
async function callAll(code: RegExp): Promise<number> {
  let failed = 0;
  const key = await askedFor();
  for (const method of methods) {
    const secret = watched("a secret while something is broken", newSecret("canary").reveal());
    const requestId = randomUUID();
    const request = {
      ...key,
      secret,
      requestId,
      displayName: "x",
      prefix: "canary",
      filter: { text: "nobody" },
      key: { displayName: "x" },
      keyspace: { displayName: "x" },
      tenant: { displayName: "x" },
      requests: [{ secret, keyspaceId }],
    };
    const known = Object.fromEntries(
      Object.entries(request).filter(([name]) => method.input.fields.some(({ localName }) => localName === name)),
    );
    if (method.name === "BatchCreateKeys") Object.assign(known, { keys: [{ displayName: "x" }] });
    if (method.name === "ImportKeys")
      Object.assign(known, { keys: [{ digest: hash("sha256", secret, "hex"), spec: { displayName: "x" } }] });
    const body = toBinary(method.input, create(method.input, known as never));
    for (const protocol of PROTOCOLS.filter((name) => name !== "connect+json")) {
      const answer = await wire.send({ path: pathOf(method), body, protocol, token: tokenFor(method) });
      if (answer.code === "ok") {
        const { answer: typed } = await wire.call(method, known as never, tokenFor(method));
        watchNew(typed, secrets);
        continue;
      }
      note(`${nameOf(method)} while something is broken`, answer);
      if (code.test(answer.code)) failed++;
    }
  }
  return failed;
}

async function askedFor() {
  const [row] = await admin.query<{ id: string }>(
    "select content->'after'->'key'->>'id' as id from clavis.audit_events where type = 'key.created' and keyspace_id = $1 order by sequence desc limit 1",
    [keyspaceId],
  );
  return { keyId: row?.id ?? "", keyspaceId, tenantId };
}

function watchNew(answer: unknown, scanner: LeakScanner): void {
  const { secret, managementSecret } = (answer ?? {}) as { secret?: string; managementSecret?: string };
  for (const text of [secret, managementSecret]) if (text) scanner.watch("a secret while something is broken", text);
}

/** Every table as text. Bytes stand there twice, in hexadecimal digits and as they are, for what is within them may be base64. */
async function dump(): Promise<Map<string, string>> {
  const tables = await admin.query<{ name: string; bytes: string[] }>(
    `select relname as name, array(select attname::text from pg_attribute where attrelid = c.oid and atttypid = 'bytea'::regtype) as bytes
     from pg_class c where relnamespace = 'clavis'::regnamespace and relkind = 'r'`,
  );
  const texts = new Map<string, string>();
  for (const { name, bytes } of tables) {
    const parts = ["t::text", ...bytes.map((column) => `encode(${column}, 'escape')`)];
    const rows = await admin.query<{ row: string }>(
      `select concat_ws(' ', ${parts.join(", ")}) as row from clavis.${name} t`,
    );
    texts.set(name, rows.map(({ row }) => row).join("\n"));
  }
  return texts;
}

describe("a secret put through every call", () => {
  it("is told where it belongs, and the calls do what they should", async () => {
    const made = await liveAKeysLife();
    expect(made.length).toBe(7);
    const outcomes = await Promise.all(
      made
        .slice(1, 3)
        .map(
          async (secret) =>
            (await wire.call(VerifyService.method.verify, { secret, keyspaceId }, token)).answer?.outcome,
        ),
    );
    expect(outcomes).toEqual([Outcome.VALID, Outcome.VALID]);
  });

  it("goes astray in every field and protocol", async () => {
    expect(await sendAstray()).toBeGreaterThan(methods.length * 30);
  }, 60_000);

  it.each(["keys", "replays", "audit_heads"])("meets a bug: without the table %s", async (table) => {
    await admin.query(`alter table clavis.${table} rename to gone`);
    try {
      expect(await callAll(/^internal$/)).toBeGreaterThan(10);
    } finally {
      await admin.query(`alter table clavis.gone rename to ${table}`);
    }
    const { answer } = await wire.call(KeyService.method.listKeys, {}, token);
    expect(answer?.keys.length).toBeGreaterThan(0);
  });

  it("meets a bug: Postgres refuses a row, and shows it in the error's detail", async () => {
    await admin.query("alter table clavis.key_secrets add constraint refused check (false) not valid");
    try {
      expect(await callAll(/^internal$/)).toBeGreaterThan(10);
    } finally {
      await admin.query("alter table clavis.key_secrets drop constraint refused");
    }
  });

  it("meets a Postgres that is away", async () => {
    const name = new URL(database.url.replace(/@.*\//, "@localhost/")).pathname.slice(1).split("?")[0];
    await admin.query(`alter database ${name} connection limit 0`);
    try {
      await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
        [name],
      );
      expect(await callAll(/^unavailable$/)).toBeGreaterThan(methods.length);
    } finally {
      await admin.query(`alter database ${name} connection limit -1`);
    }
    await until("Postgres is back", async () => (await wire.call(KeyService.method.listKeys, {}, token)).code === "ok");
  });

  it("is in no answer, be it an error's text, detail or header", () => {
    expect(answered.length).toBeGreaterThan(1000);
    const leaks = answered.flatMap(({ name, text }) =>
      [...secrets.scan(text), ...digests.scan(text)].map((secret) => `${name}: ${secret}`),
    );
    expect(leaks).toEqual([]);
  });

  it("is in no log, at any level, and nothing is printed beside the log", () => {
    expect(service.logged.length).toBeGreaterThan(1000);
    expect(service.logged.filter((line) => line.includes('"level":"error"')).length).toBeGreaterThan(10);
    const text = service.logged.join("\n");
    expect([...secrets.scan(text), ...digests.scan(text)]).toEqual([]);
    expect(printed).toEqual([]);
  });

  it("is in no metric", async () => {
    const text = await (await fetch(`${service.operationsUrl}/metrics`)).text();
    expect(text).toContain("clavis_rpc_seconds_bucket");
    expect([...secrets.scan(text), ...digests.scan(text)]).toEqual([]);
  });

  it("is in no table, and its digest in one alone", async () => {
    const tables = await dump();
    expect([...tables.keys()]).toEqual(expect.arrayContaining(["keys", "key_secrets", "audit_events", "replays"]));
    for (const [name, text] of tables) {
      expect(text.length, name).toBeGreaterThan(0);
      expect(secrets.scan(text), name).toEqual([]);
      if (name !== "key_secrets") expect(digests.scan(text), name).toEqual([]);
    }
    expect(digests.scan(tables.get("key_secrets") ?? "").length).toBeGreaterThan(0);
  });

  it("is in no statement that Postgres shows", async () => {
    const rows = await admin.query<{ query: string }>(
      "select query from pg_stat_activity where datname = current_database()",
    );
    expect(rows.length).toBeGreaterThan(1);
    expect(secrets.scan(rows.map(({ query }) => query).join("\n"))).toEqual([]);
  });

  it("would be found", async () => {
    const secret = watched("a planted secret", newSecret("canary").reveal());
    const bytes = Buffer.from(`--${secret}--`);
    for (const text of [
      secret,
      secret.slice(15, 27),
      bytes.toString("hex"),
      bytes.toString("base64"),
      bytes.subarray(1).toString("base64url"),
      bytes.subarray(2).toString("base64"),
      JSON.stringify({ a: [{ secret }] }),
      encodeURIComponent(secret),
    ]) {
      expect(secrets.scan(`what was there before ${text} and after`), text).toEqual(["a planted secret"]);
    }
    expect(secrets.scan(`${secret.slice(0, 11)}...${secret.slice(-4)}`)).toEqual([]);
    await admin.query("update clavis.tenants set display_name = $1", [secret]);
    expect(secrets.scan((await dump()).get("tenants") ?? "")).toEqual(["a planted secret"]);
    await admin.query("update clavis.tenants set display_name = 'x'");
    const digest = hash("sha256", secret, "buffer");
    expect(digests.scan(`\\x${digest.toString("hex")}`)).toEqual(["the digest of a planted secret"]);
  });
});

describe("a service that cannot start", () => {
  it("says why without the password of its database", async () => {
    const password = watched("a password", randomBytes(30).toString("hex"));
    const urls = [
      `postgres://clavis:${password}@127.0.0.1:1/clavis`,
      `postgres://nobody:${password}@${database.url.replace(/^.*?@/, "")}`,
      `postgres://clavis:${password}@[/clavis`,
    ];
    for (const url of urls) {
      const lines: string[] = [];
      const log = createLog("debug", { write: (line) => void lines.push(line) });
      const config = parseConfig({ ...testEnvironment(url), CLAVIS_DATABASE_URL: url });
      const error: unknown = await startServer(config, { log }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      log.error({ error, config }, "cannot start");
      const text = `${lines.join()} ${inspect(error, { depth: 10, showHidden: true })} ${inspect(config, { depth: 10, showHidden: true })} ${JSON.stringify(config, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value))} ${String((error as Error).stack)}`;
      expect(secrets.scan(text), url.replace(password, "")).toEqual([]);
    }
  });
});
