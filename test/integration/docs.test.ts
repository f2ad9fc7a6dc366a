import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReasonSchema } from "../../sdk/gen/clavis/v1/error_reason_pb.ts";
import { managementPermissions } from "../../src/access/permissions.ts";
import { parseConfig } from "../../src/config.ts";
import { type CodeBlock, codeBlocks } from "../harness/markdown.ts";
import { openTestService, type TestService } from "../harness/service.ts";

const root = join(import.meta.dirname, "../..");
const documents = ["README.md", ...globSync("docs/*.md", { cwd: root })];

/**
 * Blocks marked `run` are run here, in the order of their document, against a service that has just been started. The others, by their
 * first line, are what no test can do in passing: start a service on the usual port, need Docker, or speak to a machine far away.
 */
const elsewhere: Readonly<Record<string, string>> = {
  "npm ci && npm start": "test/integration/startup.test.ts starts it, and CI installs from a clean clone",
  "npm ci && npm test": "is what runs this",
  "npm run demo": "test/integration/demo.test.ts",
  "create role clavis_owner login password '...';": "test/integration/startup.test.ts makes such roles",
  "export CLAVIS_DATABASE_URL=postgresql://clavis:...@db.internal/clavis":
    "needs that machine; test/integration/startup.test.ts",
  "npm run -s clavis -- backup clavis.backup": "test/integration/backup.test.ts, in both shapes",
  "npm run -s clavis -- backup - | gpg --encrypt --recipient ops@example.com > clavis.backup.gpg":
    "needs that recipient's key; test/integration/restore.test.ts uses standard input and output",
  "npm run -s clavis -- backup move.backup": "test/integration/backup.test.ts makes that move, and the one back",
  "npm run bench": "takes minutes; test/integration/performance-docs.test.ts makes table and chart from the latest run",
  "./scripts/compose-env > .env": "needs Docker; the first line is tried below",
};

let service: TestService;
let scratch: string;
let environment: Record<string, string>;

beforeAll(async () => {
  service = await openTestService();
  const { token } = await service.newTenant();
  scratch = await mkdtemp(join(tmpdir(), "docs-test-"));
  await symlink(join(root, "node_modules"), join(scratch, "node_modules"));
  const keys = { CLAVIS_URL: service.url, CLAVIS_KEY: token, CLAVIS_OPERATOR_KEY: service.operatorToken };
  environment = { ...(process.env as Record<string, string>), ...keys, SCRATCH: scratch, NO_COLOR: "1" };
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

describe.each(documents)("%s", (document) => {
  const text = readFileSync(join(root, document), "utf8");
  const blocks = codeBlocks(text);

  it("says of each block how it is tested", () => {
    const untested = blocks.filter(({ info, code }) => !isRun(info) && !(firstLine(code) in elsewhere));
    expect(untested.map(({ line, code }) => `line ${line}: ${firstLine(code)}`)).toEqual([]);
  });

  it("links to what is there", () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target as string);
    const broken = links.filter((target) => globSync(join(root, document, "..", target)).length === 0);
    expect(broken).toEqual([]);
  });

  const commands = blocks.filter(({ info }) => info === "sh run");
  if (commands.length > 0) {
    it("has commands that work", async () => {
      await run("bash", ["-euo", "pipefail", "-c", commands.map(({ code }) => code).join("\n")]);
    });
  }

  const programs = blocks.filter(({ info }) => info === "ts run");
  it.for(programs)("has a program that works", async (program: CodeBlock) => {
    const file = join(scratch, `program-${program.line}.ts`);
    await writeFile(file, program.code);
    await run(join(root, "node_modules/.bin/node"), [file]);
  });
});

describe("the tables", () => {
  const rowsOf = (document: string) =>
    [...readFileSync(join(root, "docs", document), "utf8").matchAll(/^\| `([^`]+)` \|/gm)].map(
      ([, name]) => name as string,
    );

  it("list each variable of the environment, and no other", () => {
    const source = readFileSync(join(root, "src/config.ts"), "utf8");
    const variables = [...source.matchAll(/^ {2}(CLAVIS_\w+):/gm)].map(([, name]) => name);
    expect(rowsOf("configuration.md")).toEqual(variables);
  });

  it("list each reason of an error, and no other", () => {
    const reasons = ErrorReasonSchema.values
      .filter(({ number }) => number !== 0)
      .map(({ name }) => name.replace("ERROR_REASON_", ""));
    expect(rowsOf("errors.md")).toEqual(reasons);
  });

  it("list each permission, and no other", () => {
    expect(rowsOf("security.md")).toEqual(Object.keys(managementPermissions));
  });
});

it("makes secrets for compose that the configuration accepts", async () => {
  const { stdout } = await run(join(root, "scripts/compose-env"), []);
  const secrets = Object.fromEntries(
    [...stdout.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name as string, value as string]),
  );
  const { CLAVIS_ROOT_KEYS = "", CLAVIS_OPERATOR_KEYS = "", CLAVIS_RUNTIME_PASSWORD } = secrets;
  const url = `postgresql://clavis:${CLAVIS_RUNTIME_PASSWORD}@postgres/clavis`;
  expect(parseConfig({ CLAVIS_DATABASE_URL: url, CLAVIS_ROOT_KEYS, CLAVIS_OPERATOR_KEYS }).rootKeys).toHaveLength(1);
});

function isRun(info: string): boolean {
  return info === "sh run" || info === "ts run";
}

function firstLine(code: string): string {
  return code.split("\n").find((line) => line !== "" && !line.startsWith("#")) ?? "";
}

async function run(program: string, args: readonly string[]): Promise<{ stdout: string }> {
  return promisify(execFile)(program, args, { cwd: root, env: environment, maxBuffer: 16 * 1024 * 1024 });
}
