import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createClavis } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCommand } from "../harness/clavis-command.ts";
import { openTestService, type TestService, type TestTenant } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTemporaryFolder, type TemporaryFolder } from "../harness/temporary-folder.ts";

let service: TestService;
let tenant: TestTenant;
let folder: TemporaryFolder;

/** What standard error and arguments may never show. */
const secrets: string[] = [];
const shown: string[] = [];

beforeAll(async () => {
  service = await openTestService();
  tenant = await service.newTenant();
  folder = await openTemporaryFolder();
  secrets.push(tenant.token, service.operatorToken);
});

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** `clavis` with `args`, as the tenant's management key. */
async function clavis(args: readonly string[], { stdin = "", env = {} }: RunOptions = {}): Promise<Run> {
  // Compiled once, all the same code starts twice as fast.
  const cache = { NODE_COMPILE_CACHE: join(folder.path, "compiled") };
  const own = { CLAVIS_URL: service.url, CLAVIS_KEY: tenant.token, ...cache, ...env };
  await using command = startCommand(args, own);
  command.stdin.end(stdin);
  const [stdout, { code, stderr }] = await Promise.all([text(command.stdout), command.exited]);
  shown.push(args.join(" "), stderr);
  return { code, stdout, stderr };
}

/** What a command that must succeed answers, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say themselves what they expect to find in it.
async function json(...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await clavis([...args, "--output", "json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

/** Not by way of a command: there are many of these, and each start of a process takes its time. */
async function newKeyspace(prefix: string): Promise<string> {
  await using client = createClavis({ baseUrl: service.url, token: tenant.token });
  return (await client.keyspaces.create({ displayName: `Keys of ${prefix}`, prefix })).keyspace.id;
}

describe("a key's life", () => {
  it("is told by answers in JSON, from creation to deletion", async () => {
    const made = await json("keyspaces", "create", "--display-name", "Life", "--prefix", "life", "--max-ttl", "100d");
    const keyspaceId = made.keyspace.id;
    expect(made.keyspace).toMatchObject({ displayName: "Life", prefix: "life", maxTtl: "8640000s" });
    const { key, secret } = await json(
      ...["keys", "create", "--keyspace", "life", "--display-name", "CI", "--ttl", "90d", "--owner", "cus_1"],
      ...["--permission", "documents.read", "--permission", "billing.*", "--metadata", '{"plan":"pro"}'],
      ...["--allow-address", "10.0.0.0/8", "--allow-address", "127.0.0.1/32"],
    );
    secrets.push(secret);
    expect(key).toMatchObject({
      keyspaceId,
      displayName: "CI",
      ownerId: "cus_1",
      state: "KEY_STATE_ACTIVE",
      permissions: ["documents.read", "billing.*"],
      metadata: { plan: "pro" },
      allowedAddresses: ["10.0.0.0/8", "127.0.0.1/32"],
    });

    const updated = await json("keys", "update", key.id, "--display-name", "CD", "--clear", "allowed-addresses");
    expect(updated.key).toMatchObject({ displayName: "CD", allowedAddresses: [], ownerId: "cus_1" });
    expect((await json("keys", "disable", key.id, "--etag", updated.key.etag)).key.state).toBe("KEY_STATE_DISABLED");
    expect((await json("keys", "enable", key.id)).key.state).toBe("KEY_STATE_ACTIVE");

    const rotated = await json("keys", "rotate", key.id, "--overlap", "1h");
    secrets.push(rotated.secret);
    expect(rotated.key.rotation.overlapEndTime).toBe(rotated.effectiveTime);
    expect((await json("keys", "complete-rotation", key.id)).key.rotation).toBeUndefined();

    const revoked = await json("keys", "revoke", key.id, "--reason", "superseded", "--reason-text", "done");
    expect(revoked.key).toMatchObject({
      state: "KEY_STATE_REVOKED",
      revocation: { reason: "REVOKE_REASON_SUPERSEDED", reasonText: "done", actorId: tenant.managementKeyId },
    });
    expect((await json("keys", "list", "--keyspace", keyspaceId, "--state", "revoked")).id).toBe(key.id);
    expect(await json("keys", "delete", key.id)).toEqual({});

    const events = await clavis(["audit", "list", "--target", key.id, "--oldest-first", "-o", "json"]);
    expect(linesOf(events.stdout).map((line) => JSON.parse(line).type)).toEqual([
      ...["key.created", "key.updated", "key.disabled", "key.enabled", "key.rotated"],
      ...["key.rotation_completed", "key.revoked", "key.deleted"],
    ]);
  });
});

describe("secrets", () => {
  it("come out alone where nothing else is asked for, and go in by standard input", async () => {
    await newKeyspace("secrets");
    const terms = ["--keyspace", "secrets", "--display-name", "CI", "--permission", "documents.read"];
    const created = await clavis(["keys", "create", ...terms, "--output", "secret"]);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    expect(created.stdout).toMatch(/^secrets_[0-9A-Za-z]+\n$/);
    const secret = created.stdout.trim();
    secrets.push(secret);

    const verify = (...more: string[]) =>
      clavis(["keys", "verify", "--keyspace", "secrets", ...more], { stdin: created.stdout });
    expect(await verify("--permission", "documents.read", "-o", "json")).toMatchObject({ code: 0, stderr: "" });
    const refused = await verify("--permission", "documents.write");
    expect(refused.code).toBe(3);
    expect(refused.stdout).toMatch(/^outcome +insufficient-permissions$/m);
    expect(refused.stdout).toMatch(/^missing +documents.write$/m);

    const bearer = { stdin: secret, env: { CLAVIS_KEY: "" } };
    expect((await clavis(["self", "get"], bearer)).stdout).toMatch(/^state +active$/m);
    expect((await clavis(["self", "revoke", "--reason", "compromised"], bearer)).stdout).toMatch(/^state +revoked$/m);
    expect((await verify()).code).toBe(3);
  });

  it("stand on the last line of what people are shown", async () => {
    await newKeyspace("people");
    const { stdout } = await clavis(["keys", "create", "--keyspace", "people", "--display-name", "CI"]);
    const secret = linesOf(stdout).at(-1) ?? "";
    secrets.push(secret);
    expect((await clavis(["keys", "verify", "--keyspace", "people"], { stdin: secret })).code).toBe(0);
  });

  it("are not repeated where somebody gives them as arguments", async () => {
    const canary = "canary-0123456789";
    for (const misuse of [
      ["verify", canary],
      ["verify", `--secret=${canary}`],
      ["list", "--key-file", canary],
    ]) {
      const { code, stdout, stderr } = await clavis(["keys", ...misuse]);
      expect(code).toBe(2);
      expect(stdout + stderr).not.toContain(canary);
    }
    shown.length = 0;
  });
});

describe("keys import", () => {
  const count = 2500;
  const digestOf = (secret: string) => createHash("sha256").update(secret).digest("hex");
  const lineOf = (name: string, more: object = {}) =>
    JSON.stringify({ digest: digestOf(`elsewhere:${name.replace(" ", "-")}`), display_name: name, ...more });

  it("imports all lines but the bad ones, of which it says number and reason", async () => {
    await newKeyspace("imports");
    const path = join(folder.path, "keys.ndjson");
    const badPath = join(folder.path, "bad.ndjson");
    const lines = Array.from({ length: count }, (_, index) => lineOf(`key ${index}`, { owner_id: "cus_1" }));
    lines[9] = "not json";
    lines[1499] = lineOf("key 1499", { allowed_addresses: ["nowhere"] });
    lines[2000] = lineOf("key 20");
    await writeFile(path, lines.join("\n"));

    const run = () => clavis(["keys", "import", path, "--keyspace", "imports", "--bad-lines", badPath, "-o", "json"]);
    const first = await run();
    expect(first.code).toBe(1);
    expect(JSON.parse(first.stdout)).toEqual({ imported: count - 3, known: 0, bad: 3 });
    expect(linesOf(first.stderr)).toEqual([
      "line 10: is not a JSON object",
      expect.stringMatching(/^line 1500: allowed_addresses/),
      "line 2001: digest: is known already",
    ]);
    const bad = linesOf(await readFile(badPath, "utf8")).map((line) => JSON.parse(line));
    expect(bad.map(({ line, text }) => [line, text])).toEqual([9, 1499, 2000].map((at) => [at + 1, lines[at]]));
    expect((await stat(badPath)).mode & 0o777).toBe(0o600);

    const stdin = "elsewhere:key-7";
    expect((await clavis(["keys", "verify", "--keyspace", "imports"], { stdin })).code).toBe(0);
  });

  it("may be repeated after it was cut off", async () => {
    await newKeyspace("again");
    const lines = Array.from({ length: 20 }, (_, index) => lineOf(`again ${index}`)).join("\n");
    const run = () => clavis(["keys", "import", "-", "--keyspace", "again"], { stdin: lines });
    const answer = { code: 0, stdout: "20 imported, 0 known, 0 bad\n", stderr: "" };
    expect(await run()).toEqual(answer);
    expect(await run()).toEqual(answer);
    const listed = await clavis(["keys", "list", "--keyspace", "again", "-o", "json"]);
    expect(linesOf(listed.stdout)).toHaveLength(20);
  });
});

describe("keys revoke-many", () => {
  it("ends what matches, after it was asked what that would be", async () => {
    await newKeyspace("many");
    const lines = ["a", "b", "b"].map((owner, index) =>
      JSON.stringify({ digest: String(index).repeat(64), display_name: "many", owner_id: owner }),
    );
    await clavis(["keys", "import", "-", "--keyspace", "many"], { stdin: lines.join("\n") });
    const run = (...more: string[]) => clavis(["keys", "revoke-many", "--keyspace", "many", ...more]);

    expect((await run()).code).toBe(2);
    const dry = await run("--owner", "b", "--dry-run");
    expect(linesOf(dry.stdout)).toHaveLength(2);
    expect(await run("--owner", "b")).toMatchObject({ code: 0, stdout: dry.stdout });
    const rest = await clavis(["keys", "list", "--keyspace", "many", "--state", "active", "-o", "json"]);
    expect(linesOf(rest.stdout).map((line) => JSON.parse(line).ownerId)).toEqual(["a"]);
  });
});

describe("keyspaces", () => {
  it("say what goes first while Postgres is away", async () => {
    const terms = ["--display-name", "Modes", "--prefix", "modes"];
    const made = await json("keyspaces", "create", ...terms, "--revocation-mode", "strict");
    expect(made.keyspace.revocationMode).toBe("REVOCATION_MODE_STRICT");
    expect((await clavis(["keyspaces", "get", "modes"])).stdout).toMatch(/^revocation mode +strict$/m);
    const updated = await clavis(["keyspaces", "update", "modes", "--revocation-mode", "available"]);
    expect(updated.stdout).toMatch(/^revocation mode +available$/m);
  });
});

describe("a replica that does not answer", () => {
  it("lets what is taken away hold later, and people are told from when on", async () => {
    await using sql = await openSql(service.database.adminUrl);
    await using client = createClavis({ baseUrl: service.url, token: tenant.token });
    const keyspaceId = await newKeyspace("frozen");
    const { key } = await client.keys.create({ keyspaceId, displayName: "CI" });
    await client.keys.create({ keyspaceId, displayName: "CI" });
    await sql.query("insert into clavis.members (member_id) values (gen_random_uuid())");
    try {
      const one = await clavis(["keys", "revoke", key.id, "--max-wait", "0s"]);
      expect(one.stdout).toMatch(/^holds from +[-\dT:]+Z, in [\dms]+: until then what was before may count$/m);
      const many = await clavis(["keys", "revoke-many", "--keyspace", "frozen", "--all", "--max-wait", "0s"]);
      expect(many.stderr).toMatch(/^1 are revoked\.\nThat holds from [-\dT:]+Z, in [\dms]+: until then /m);
    } finally {
      await sql.query("delete from clavis.members where applied_snapshot is null");
    }
  });
});

describe("tenants", () => {
  it("are the operator's, whose credential may come from a file", async () => {
    const keyFile = join(folder.path, "operator");
    await writeFile(keyFile, `${service.operatorToken}\n`);
    const created = await clavis(["tenants", "create", "--display-name", "New", "--key-file", keyFile, "-o", "json"]);
    const { tenant: made, managementSecret } = JSON.parse(created.stdout);
    secrets.push(managementSecret);
    expect(made.displayName).toBe("New");
    const own = await clavis(["keyspaces", "list"], { env: { CLAVIS_KEY: managementSecret } });
    expect(own.stdout).toMatch(/management keys$/m);
  });
});

describe("a failure", () => {
  it("names its reason, each field that is wrong, and the call", async () => {
    const { code, stdout, stderr } = await clavis(["keyspaces", "create", "--display-name", "", "--prefix", "x"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^clavis: INVALID_REQUEST: /);
    expect(stderr).toMatch(/^ {2}display_name: /m);
    expect(stderr).toMatch(/^ {2}prefix: /m);
    expect(stderr).toMatch(/^ {2}call id: \S+$/m);
  });

  it("says where it looked for a service and for a credential", async () => {
    const away = await clavis(["keys", "list", "--url", "http://127.0.0.1:1"]);
    expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining("http://127.0.0.1:1") });
    const none = await clavis(["keys", "list"], { env: { CLAVIS_KEY: "", CLAVIS_DATA_DIR: folder.path } });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("CLAVIS_KEY") });
  });

  it("to understand a command is told apart from others", async () => {
    const env = { CLAVIS_OPERATOR_KEY: service.operatorToken };
    expect((await clavis(["keys"])).code).toBe(2);
    for (const args of [
      ["keys", "rotate", "key_1", "--overlap", "90"],
      ["keys", "lst"],
      ["keys", "get"],
      ["keys", "update", "key_1", "--etag", "1"],
      ["keyspaces", "update", "acme_live"],
      ["keyspaces", "update", "acme_live", "--revocation-mode", "lenient"],
      ["tenants", "update", "ten_1"],
    ]) {
      expect(await clavis(args, { env })).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringMatching(/^clavis: /),
      });
    }
  });
});

it("has never shown a secret where others look", () => {
  expect(secrets.length).toBeGreaterThan(5);
  expect(shown.length).toBeGreaterThan(30);
  expect(secrets.filter((secret) => shown.some((words) => words.includes(secret)))).toEqual([]);
});

function linesOf(output: string): string[] {
  return output.split("\n").filter((line) => line !== "");
}
