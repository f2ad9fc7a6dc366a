/** Reads the repository's own sources and fails where one breaks a rule of the house. To change a rule, change its row. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, matchesGlob, posix } from "node:path";
import { describe, expect, it } from "vitest";

/** The folders that are named after the domain and know no technology. */
const core = ["keys", "keyspaces", "tenants", "verify", "audit", "access", "changes", "coherence"];

const tests = "**/*.test.ts";
const product = ["src/**", "sdk/**"];
const everything = ["src/**", "sdk/**", "test/**", "scripts/**", "demo/**", "*.config.ts"];

/**
 * A row forbids something in all files of `where` that are not in `except`: importing what `imports` names, unless
 * `unless` names it too, code that `code` finds, or a path that `path` does not match. Globs throughout; imports are
 * compared as paths from the root (`src/keys/key.ts`) or as package names (`pg`, `node:fs`).
 *
 * `caught` and `passed` are a path and a source each, to show that the row bites and where it ends.
 */
interface Rule {
  says: string;
  where: string[];
  except?: string[];
  imports?: string[];
  unless?: string[];
  code?: RegExp;
  path?: RegExp;
  caught: [path: string, source: string];
  passed: [path: string, source: string];
}

const rules: Rule[] = [
  {
    says: "the SDK never imports the server",
    where: ["sdk/**"],
    imports: ["src/**"],
    caught: ["sdk/client.ts", 'import { parseKey } from "../src/keys/key.ts";'],
    passed: ["sdk/client.ts", 'import { parseKey } from "./rules/index.ts";'],
  },
  {
    says: "of the SDK, the server knows the rules alone",
    where: ["src/**"],
    except: ["src/cli/**", "src/web/**", tests],
    imports: ["sdk/**"],
    unless: ["sdk/rules/**"],
    caught: ["src/verify/service.ts", 'import { createClient } from "@clavis/sdk";'],
    passed: ["src/verify/service.ts", 'import { decide } from "@clavis/sdk/rules";'],
  },
  {
    says: "the SDK's rules depend on nothing of the SDK and on no package",
    where: ["sdk/rules/**"],
    except: [tests],
    imports: ["**"],
    unless: ["sdk/rules/**", "node:*"],
    caught: ["sdk/rules/decide.ts", 'import { timestampMs } from "@bufbuild/protobuf/wkt";'],
    passed: ["sdk/rules/decide.ts", 'import { shapeOf } from "./secret.ts";'],
  },
  {
    says: "the core imports no edge",
    where: core.map((folder) => `src/${folder}/**`),
    except: [tests],
    imports: ["src/{postgres,redis,memory,rpc,wire,gateway,http,embedded,cli,web,gen}/**", "src/{main,server}.ts"],
    caught: ["src/keys/key-service.ts", 'import type { Db } from "../postgres/db.ts";'],
    passed: ["src/keys/key-service.ts", 'import type { AuditLog } from "../audit/audit-log.ts";'],
  },
  {
    says: "adapters import contracts, never each other",
    where: ["src/postgres/**"],
    except: [tests],
    imports: ["src/{redis,memory,embedded,rpc,wire,gateway,http,cli,web}/**", "src/{main,server}.ts"],
    caught: ["src/postgres/key-store.ts", 'import { createLimiter } from "../redis/limiter.ts";'],
    passed: ["src/postgres/key-store.ts", 'import type { KeyStore } from "../keys/key-store.ts";'],
  },
  {
    says: "adapters import contracts, never each other",
    where: ["src/{redis,memory,embedded}/**"],
    except: [tests],
    imports: ["src/{postgres,rpc,wire,gateway,http,cli,web}/**", "src/{main,server}.ts"],
    caught: ["src/redis/limiter.ts", 'import type { Db } from "../postgres/db.ts";'],
    passed: ["src/redis/limiter.ts", 'import { keyOf } from "./key-names.ts";'],
  },
  {
    says: "what answers callers knows services, not adapters",
    where: ["src/{rpc,wire,gateway,http,cli,web}/**"],
    except: [tests],
    imports: ["src/{postgres,redis,memory,embedded}/**"],
    caught: ["src/rpc/key-service.ts", 'import { createKeyStore } from "../postgres/key-store.ts";'],
    passed: ["src/rpc/key-service.ts", 'import type { KeyService } from "../keys/key-service.ts";'],
  },
  {
    says: "kysely and pg are known to src/postgres alone",
    where: product,
    except: ["src/postgres/**"],
    imports: ["{kysely,pg,pg-*}{,/**}"],
    caught: ["src/server.ts", 'import { Pool } from "pg";'],
    passed: ["src/postgres/migrator.ts", 'import { Migrator } from "kysely/migration";'],
  },
  {
    says: "ioredis is known to src/redis alone",
    where: product,
    except: ["src/redis/**"],
    imports: ["ioredis{,/**}"],
    caught: ["src/limits/limiter.ts", 'import type { Redis } from "ioredis";'],
    passed: ["src/redis/limiter.ts", 'import { Redis } from "ioredis";'],
  },
  {
    says: "Connect and generated code are known to src/rpc, src/wire and the SDK alone",
    where: ["src/**"],
    except: ["src/rpc/**", "src/wire/**", tests],
    imports: ["@connectrpc/**", "src/gen/**"],
    caught: ["src/keys/key.ts", 'import type { Key } from "../gen/clavis/v1/key_pb.ts";'],
    passed: ["src/rpc/convert.ts", 'import type { Key } from "../gen/clavis/v1/key_pb.ts";'],
  },
  {
    says: "the environment is read in src/main.ts alone",
    where: product,
    except: ["src/main.ts", tests],
    code: /\bprocess(?:\.|\?\.|\[")env\b/,
    caught: ["src/config.ts", "const url = process.env.DATABASE_URL;"],
    passed: ["src/config.ts", "/** Made of `process.env` by main. */ export const limits = {};"],
  },
  {
    says: "the environment is read in src/main.ts alone",
    where: product,
    except: ["src/main.ts", tests],
    imports: ["{node:,}process"],
    caught: ["src/config.ts", 'import { env } from "node:process";'],
    passed: ["src/main.ts", 'import { env } from "node:process";'],
  },
  {
    says: "the wall clock has one home, so that tests can move it",
    where: product,
    except: ["{src,sdk}/time.ts", tests],
    code: /\bDate\.now\b|\bnew Date\b(?:\(\s*\)|(?!\s*\())|(?<!new )\bDate\(\s*\)/,
    caught: ["src/keys/key.ts", "const now = new Date();"],
    passed: ["src/keys/key.ts", "const now = new Date(clock());"],
  },
  {
    says: "chance has one home, so that tests can rule it",
    where: product,
    except: ["{src,sdk}/random.ts", tests],
    code: /\bMath\.random\b/,
    caught: ["sdk/retry.ts", "const delayMs = 100 * Math.random();"],
    passed: ["sdk/random.ts", "export const random = Math.random;"],
  },
  {
    says: "exports have names",
    where: everything,
    except: ["*.config.ts"],
    code: /\bexport\s+default\b|\bas\s+default\b/,
    caught: ["src/ids.ts", "export default function createId() {}"],
    passed: ["src/ids.ts", 'export function createId() { return "export default"; }'],
  },
  {
    says: "file names are kebab-case",
    where: everything,
    path: /^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:[-.][a-z0-9]+)*\.ts$/,
    caught: ["src/keys/keyService.ts", ""],
    passed: ["src/keys/key-service.test.ts", ""],
  },
];

const root = join(import.meta.dirname, "..");

const files = globSync("{src,sdk,test,scripts,demo}/**/*.ts", { cwd: root })
  .concat(globSync("*.config.ts", { cwd: root }))
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => !/(?:^|\/)(?:gen|dist|node_modules)\//.test(path))
  .map((path) => readSource(path, readFileSync(join(root, path), "utf8")));

describe("the sources", () => {
  it("are read, of every folder that the rules speak of", () => {
    expect(files.length).toBeGreaterThan(0);
    for (const folder of ["sdk", "test", "scripts", ...core.map((name) => `src/${name}`)]) {
      expect(existsSync(join(root, folder)), folder).toBe(true);
      expect(files.filter(({ path }) => path.startsWith(`${folder}/`)).length, folder).toBeGreaterThan(0);
    }
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(files.length);
  });

  it.each(rules)("keep to it: $says", (rule) => {
    expect(files.flatMap((file) => breaches(rule, file))).toEqual([]);
  });
});

describe("a rule", () => {
  it.each(rules)("catches what breaks it: $says", (rule) => {
    expect(breaches(rule, readSource(...rule.caught))).toHaveLength(1);
  });

  it.each(rules)("lets pass what does not: $says", (rule) => {
    expect(breaches(rule, readSource(...rule.passed))).toEqual([]);
  });
});

describe("readSource", () => {
  it.each([
    ['import { a } from "pg";', ["pg"]],
    ['import type { A } from "pg";', ["pg"]],
    ['import "pg";', ["pg"]],
    ['import {\n  a,\n  type B,\n} from "pg";', ["pg"]],
    ['export * from "./b.ts";', ["src/keys/b.ts"]],
    ['export { b } from "../b.ts";', ["src/b.ts"]],
    ['const pg = await import("pg");', ["pg"]],
    ['type A = import("pg").Pool;', ["pg"]],
    ['import { decide } from "@clavis/sdk/rules";', ["sdk/rules/index.ts"]],
    ['// import "pg";\n/* import "pg"; */', []],
    ['const a = "//"; import "pg";', ["pg"]],
  ])("finds the imports of %j", (source, imports) => {
    expect(readSource("src/keys/a.ts", source).imports).toEqual(imports);
  });

  it.each([
    ["a(); // b", "a(); "],
    ["a(/* b */);", "a();"],
    ['a("process.env");', 'a("");'],
    ["a('it\\'s', b);", 'a("", b);'],
    ["a(`b // c`);", "a(`b // c`);"],
  ])("takes comments and texts out of %j", (source, code) => {
    expect(readSource("src/keys/a.ts", source).code).toBe(code);
  });
});

interface Source {
  path: string;
  imports: string[];
  /** The source without comments and without what stands in quotes; templates stay, for code may stand in them. */
  code: string;
}

function readSource(path: string, text: string): Source {
  const tokens = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|`(?:\\[\s\S]|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
  const uncommented = text.replace(tokens, (token) => (/^\/[/*]/.test(token) ? "" : token));
  const specifiers = uncommented.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(?:"([^"\n]+)"|'([^'\n]+)')/g);
  return {
    path,
    imports: Array.from(specifiers, ([, double, single]) => resolveImport(path, double ?? single ?? "")),
    code: text.replace(tokens, (token) => (token.startsWith("`") ? token : token.startsWith("/") ? "" : '""')),
  };
}

function resolveImport(path: string, specifier: string): string {
  if (specifier.startsWith(".")) return posix.normalize(posix.join(dirname(path), specifier));
  return specifier.replace(/^@clavis\/(sdk(?:\/.*)?)$/, "$1/index.ts");
}

function breaches(rule: Rule, { path, imports, code }: Source): string[] {
  const matches = (name: string, globs: string[] = []) => globs.some((glob) => matchesGlob(name, glob));
  if (!matches(path, rule.where) || matches(path, rule.except)) return [];
  const found = imports.filter((name) => matches(name, rule.imports) && !matches(name, rule.unless));
  const snippet = rule.code?.exec(code)?.[0];
  return [
    ...found.map((name) => `${path} imports ${name}`),
    ...(snippet === undefined ? [] : [`${path} has ${snippet}`]),
    ...(rule.path === undefined || rule.path.test(path) ? [] : [`${path} is no good name`]),
  ];
}
