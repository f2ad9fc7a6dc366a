import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const root = import.meta.dirname;
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const allowed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
const sources = globSync("**/*.ts", { cwd: root, exclude: ["dist/**", "node_modules/**", "**/*.test.ts"] });

describe("the SDK", () => {
  it("imports no package but its own dependencies, and no file from outside of it", () => {
    expect(sources.length).toBeGreaterThan(50);
    const packages = sources.flatMap((source) =>
      importsOf(source)
        .filter((name) => !name.startsWith("."))
        .map(packageOf),
    );
    expect(new Set(packages.filter((name) => !isBuiltin(name) && !allowed.includes(name)))).toEqual(new Set());
    const outside = sources.filter((source) => localImportsOf(source).some((path) => path.startsWith("..")));
    expect(outside).toEqual([]);
  });

  it("needs every dependency that it names", () => {
    const used = new Set(sources.flatMap(importsOf).map(packageOf));
    expect(allowed.filter((name) => !used.has(name))).toEqual([]);
  });

  it("reaches nothing of Node from its entry for browsers", () => {
    const reached = reachableFrom("web/index.ts");
    expect(reached.size).toBeGreaterThan(30);
    expect([...reached].filter((name) => isBuiltin(name) || name.startsWith("@connectrpc/connect-node"))).toEqual([]);
  });

  it("would notice if it did", () => {
    const reached = reachableFrom("index.ts");
    expect(reached).toContain("node:http2");
    expect(reached).toContain("@connectrpc/connect-node");
  });
});

/** The files and packages that `entry` imports, directly or not. */
function reachableFrom(entry: string): Set<string> {
  const reached = new Set<string>();
  const pending = [entry];
  for (let source = pending.pop(); source !== undefined; source = pending.pop()) {
    if (reached.has(source)) continue;
    reached.add(source);
    for (const name of importsOf(source).filter((name) => !name.startsWith("."))) reached.add(name);
    pending.push(...localImportsOf(source));
  }
  return reached;
}

function localImportsOf(source: string): string[] {
  const local = importsOf(source).filter((name) => name.startsWith("."));
  return local.map((name) => relative(root, join(root, dirname(source), name)));
}

/** What a file imports or exports from, types included: whoever uses the package has to have those too. */
function importsOf(source: string): string[] {
  const text = readFileSync(join(root, source), "utf8");
  return [
    ...text.matchAll(/^\s*(?:import|export|\})[^;"'`]*?\bfrom\s+["']([^"']+)["']|\bimport\(?\s*["']([^"']+)["']/gm),
  ].map(([, from, direct]) => from ?? direct ?? "");
}

function packageOf(name: string): string {
  return name.startsWith("node:") ? name : name.split("/", name.startsWith("@") ? 2 : 1).join("/");
}
