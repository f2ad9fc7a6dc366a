import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { createClavis } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScratchProject, type ScratchProject } from "../harness/scratch-project.ts";
import { openTestService, type TestService } from "../harness/service.ts";

const root = join(import.meta.dirname, "..", "..");
const node = { target: "es2024", lib: ["es2024"], types: ["node"] };
const browser = { target: "es2024", lib: ["es2024", "esnext.disposable", "dom", "dom.asynciterable"], types: [] };

const resources = new AsyncDisposableStack();
let project: ScratchProject;
let service: TestService;
let token: string;

beforeAll(async () => {
  execFileSync("npm", ["run", "--silent", "build:sdk"], { cwd: root, stdio: "pipe" });
  project = resources.use(await openScratchProject(["@types/node", "express", "@types/express"]));
  service = resources.use(await openTestService());
  ({ token } = await service.newTenant());
  for (const [name, source] of snippets()) await project.write(name, source);
});

afterAll(() => resources.disposeAsync());

describe("the package", () => {
  it("offers types and code for every subpath, and is fit to publish", () => {
    const { exports, ...manifest } = project.manifest as { exports: Record<string, Record<string, string>> };
    expect(Object.keys(exports)).toEqual([".", "./web", "./express", "./rules"]);
    for (const [subpath, { types, default: code, ...more }] of Object.entries(exports)) {
      expect(project.files, subpath).toEqual(expect.arrayContaining([types, code].map((path) => path?.slice(2))));
      expect(more).toEqual({});
    }
    expect(manifest).not.toHaveProperty("private");
    expect(project.files).toEqual(expect.arrayContaining(["README.md", "LICENSE"]));
  });

  it("brings neither tests nor sources", () => {
    expect(project.files.length).toBeGreaterThan(50);
    expect(project.files.filter((path) => /\.test\.|(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  it("type-checks where it is used in Node, under all strictness", async () => {
    const names = [...snippets().keys()].filter((name) => name !== "page.ts");
    const strictest = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
    expect(names).toEqual(["issue.ts", "server.ts", "strict.ts", "change.ts"]);
    expect(await project.check(names, { ...node, ...strictest })).toBe("");
  });

  it("type-checks where it is used in browsers, without any of Node's types", async () => {
    expect(await project.check(["page.ts"], browser)).toBe("");
  });

  it("has types that notice mistakes", async () => {
    await project.write(
      "mistakes.ts",
      `import { createClavis } from "@clavis/sdk";
       const clavis = createClavis({ baseUrl: "http://localhost", token: "t" });
       await clavis.keys.create({ keyspaceId: "ks_1" });
       await clavis.keys.update("key_1", { state: 1 });
       await clavis.verify({ secret: "s", keyspaceId: "ks_1", permisions: [] });`,
    );
    const found = await project.check(["mistakes.ts"], node);
    expect([...found.matchAll(/^mistakes\.ts\((\d+)/gm)].map(([, line]) => line)).toEqual(["3", "4", "5"]);
  });
});

describe("the README's", () => {
  it("first example issues, verifies and revokes, and then the process ends", async () => {
    const output = await runToEnd("issue.ts", {});
    expect(output).toMatch(
      /not shown again: acme_live_[0-9A-Za-z]{49}\ntrue customer-7\nrefused everywhere from [-\d]{10}T[:.\d]{12}Z\n$/,
    );
  });

  it("server lets keys in and turns others away", async () => {
    const { keyspaceId, secret } = await aKey();
    const server = start("server.ts", { KEYSPACE_ID: keyspaceId, PORT: "0" });
    try {
      const [line] = await once(createInterface(server.stdout), "line");
      const port = /port: (\d+)/.exec(String(line))?.[1];
      const documents = (headers: Record<string, string>) => fetch(`http://localhost:${port}/documents`, { headers });
      const admitted = await documents({ authorization: `Bearer ${secret}` });
      expect(await admitted.json()).toEqual({ documents: [], owner: "customer-7" });
      expect((await documents({})).status).toBe(401);
    } finally {
      server.kill();
    }
  });

  it("keyspace becomes strict", async () => {
    const { keyspaceId } = await aKey();
    expect(await runToEnd("strict.ts", { KEYSPACE_ID: keyspaceId })).toBe("true\n");
  });

  it("changes are made", async () => {
    const { keyspaceId, keyId, clavis } = await aKey();
    expect(await runToEnd("change.ts", { KEYSPACE_ID: keyspaceId })).toBe("CI ends never\n");
    const { key } = await clavis.keys.get(keyId);
    expect([key.displayName, key.metadata]).toEqual(["CI (old)", {}]);
  });
});

/** The programs in the README, by the name in their first line. */
function snippets(): Map<string, string> {
  const readme = readFileSync(join(root, "sdk", "README.md"), "utf8");
  return new Map(
    [...readme.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name = "", source = ""]) => [name, source]),
  );
}

function start(name: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [join(project.path, name)], {
    cwd: project.path,
    env: { ...process.env, CLAVIS_URL: service.url, CLAVIS_KEY: token, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return child;
}

/** What a program prints until it ends by itself. */
async function runToEnd(name: string, env: Record<string, string>): Promise<string> {
  const child = start(name, env);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(errors).toBe("");
  return output;
}

async function aKey() {
  const clavis = resources.use(createClavis({ baseUrl: service.url, token }));
  const { keyspace } = await clavis.keyspaces.create({ displayName: "Documents", prefix: "acme_live" });
  const { key, secret } = await clavis.keys.create({
    keyspaceId: keyspace.id,
    displayName: "CI",
    ownerId: "customer-7",
    permissions: ["documents.read"],
    metadata: { plan: "pro" },
  });
  return { clavis, keyspaceId: keyspace.id, keyId: key.id, secret };
}
