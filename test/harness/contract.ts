import { globSync } from "node:fs";
import { join } from "node:path";
import type { DescFile, DescMethodUnary } from "@bufbuild/protobuf";

const generated = join(import.meta.dirname, "../../src/gen/clavis/v1");

/** Every RPC of the contract, found in what was generated from it, so that a new one cannot be forgotten. */
export const methods: readonly DescMethodUnary[] = await findMethods();

/** `KeyService/CreateKey`, and of what stands in a table by such names, those that do not fit `methods`. */
export function nameOf(method: DescMethodUnary): string {
  return `${method.parent.name}/${method.name}`;
}

async function findMethods(): Promise<DescMethodUnary[]> {
  const paths = globSync("*_pb.ts", { cwd: generated }).sort();
  const modules = await Promise.all(paths.map((path) => import(join(generated, path)) as Promise<object>));
  const files = modules.flatMap((module) => Object.values(module).filter(isFile));
  const found = files.flatMap(({ services }) => services).flatMap((service) => service.methods);
  const streams = found.filter(({ methodKind }) => methodKind !== "unary");
  if (found.length === 0 || streams.length > 0) throw new Error("expected unary methods alone");
  return found as DescMethodUnary[];
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}
