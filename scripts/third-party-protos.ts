/**
 * Fills `.third-party-proto/` with the protos that ours import or that the server also answers.
 *
 * They come from npm packages, so that generation needs no network and the repository keeps no copies.
 */
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { printProtoFile } from "./print-proto.ts";

const root = join(import.meta.dirname, "..");
const target = join(root, ".third-party-proto");

/** Import path of each proto, and the file in an installed package that it is copied from. */
const copies: Record<string, string> = {
  "google/rpc/code.proto": "google-gax/build/protos/google/rpc/code.proto",
  "google/rpc/error_details.proto": "google-gax/build/protos/google/rpc/error_details.proto",
  "google/rpc/status.proto": "google-gax/build/protos/google/rpc/status.proto",
  "grpc/health/v1/health.proto": "grpc-health-check/proto/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto": "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
};

await rm(target, { recursive: true, force: true });
for (const [importPath, source] of Object.entries(copies)) {
  const path = join(target, importPath);
  await mkdir(dirname(path), { recursive: true });
  await cp(join(root, "node_modules", source), path);
}

// No package carries validate.proto as text; @bufbuild/protovalidate carries its descriptor.
const validate = join(target, "buf/validate/validate.proto");
await mkdir(dirname(validate), { recursive: true });
await writeFile(validate, printProtoFile(file_buf_validate_validate.proto));
