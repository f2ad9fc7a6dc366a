import { execFile } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { file_clavis_v1_audit_service } from "../../src/gen/clavis/v1/audit_service_pb.ts";
import { file_clavis_v1_key_service } from "../../src/gen/clavis/v1/key_service_pb.ts";
import { file_clavis_v1_keyspace_service } from "../../src/gen/clavis/v1/keyspace_service_pb.ts";
import { file_clavis_v1_self_service } from "../../src/gen/clavis/v1/self_service_pb.ts";
import { file_clavis_v1_tenant_service } from "../../src/gen/clavis/v1/tenant_service_pb.ts";
import { file_clavis_v1_verify_service } from "../../src/gen/clavis/v1/verify_service_pb.ts";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { type LooseMessage, openGrpcJs } from "../harness/grpc-js-client.ts";
import { setUpHome } from "../harness/tenant-home.ts";

const { service, home } = await setUpHome();

/** The program itself: the script in `.bin` would start a Node of its own first. */
const require = createRequire(import.meta.resolve("@bufbuild/buf/package.json"));
const buf = require.resolve(`@bufbuild/buf-${process.platform}-${process.arch}/bin/buf`);
const contract = [
  file_clavis_v1_audit_service,
  file_clavis_v1_key_service,
  file_clavis_v1_keyspace_service,
  file_clavis_v1_self_service,
  file_clavis_v1_tenant_service,
  file_clavis_v1_verify_service,
].flatMap(({ services }) => services);

describe("buf curl, which has no copy of the contract", () => {
  it.concurrent("lists the services and their methods", async () => {
    const methods = contract.flatMap(({ typeName, methods: all }) => all.map(({ name }) => `${typeName}/${name}`));
    const listed = (await run(["--http2-prior-knowledge", "--list-methods", service.url])).stdout.trim().split("\n");
    expect(listed.filter((name) => name.startsWith("clavis."))).toEqual(methods.toSorted());
    expect(listed).toContain("grpc.health.v1.Health/Check");
    expect(methods.length).toBeGreaterThan(25);
  });

  it.concurrent.each(["grpc", "connect"])("does the whole lifecycle over %s", async (protocol) => {
    const call = (name: string, request: object, token = home.token) => curl(protocol, name, request, token);
    const { keyspace } = await call("KeyspaceService/CreateKeyspace", { display_name: protocol, prefix: "acme_live" });
    const keyspaceId = keyspace.id;
    const { key, secret } = await call("KeyService/CreateKey", {
      keyspaceId,
      displayName: "CI",
      permissions: ["documents.*"],
      ttl: "3600s",
      metadata: { plan: "pro", seats: 3 },
    });
    expect(key).toMatchObject({ state: "KEY_STATE_ACTIVE", metadata: { plan: "pro", seats: 3 } });
    const verify = async (one: string) =>
      (await call("VerifyService/Verify", { secret: one, keyspaceId, permissions: ["documents.read"] })).outcome;
    expect(await verify(secret)).toBe("OUTCOME_VALID");
    const changed = await call("KeyService/UpdateKey", {
      keyId: key.id,
      key: { displayName: "CI 2" },
      updateMask: "displayName",
    });
    expect(changed.key).toMatchObject({ displayName: "CI 2", permissions: ["documents.*"] });
    const rotated = await call("KeyService/RotateKey", { keyId: key.id, overlap: "60s" });
    expect([await verify(secret), await verify(rotated.secret)]).toEqual(["OUTCOME_VALID", "OUTCOME_VALID"]);
    await call("KeyService/CompleteRotation", { keyId: key.id });
    expect(await verify(secret)).toBe("OUTCOME_ROTATED");
    expect((await call("SelfService/GetSelf", {}, rotated.secret)).key.id).toBe(key.id);
    const revoked = await call("KeyService/RevokeKey", { keyId: key.id, reason: "REVOKE_REASON_UNUSED" });
    expect(revoked.key.revocation.reason).toBe("REVOKE_REASON_UNUSED");
    expect(await verify(rotated.secret)).toBe("OUTCOME_REVOKED");
    await call("KeyService/DeleteKey", { keyId: key.id });
    const log = await call("AuditService/ListEvents", { targetId: key.id, oldestFirst: true });
    expect(log.events.map(({ type }: LooseMessage) => type)).toEqual([
      ...["key.created", "key.updated", "key.rotated", "key.rotation_completed", "key.revoked", "key.deleted"],
    ]);

    const { code, stderr } = await run(argsFor(protocol, "KeyService/GetKey", { keyId: key.id }, home.token));
    expect(code).toBeGreaterThan(0);
    expect(JSON.parse(stderr)).toMatchObject({
      code: "not_found",
      details: [{ type: "google.rpc.ErrorInfo", value: expect.any(String) }],
    });
    const [detail] = JSON.parse(stderr).details;
    expect(fromBinary(ErrorInfoSchema, Buffer.from(detail.value, "base64"))).toMatchObject({
      reason: "KEY_NOT_FOUND",
      metadata: { key_id: key.id },
    });
  });
});

describe("server reflection, version 1", () => {
  it("gives each service's descriptors, complete and as the contract has them", async () => {
    const names = contract.map(({ typeName }) => typeName);
    const [listing, ...answers] = await ask([
      { list_services: "*" },
      ...names.map((name) => ({ file_containing_symbol: name })),
    ]);
    const services = listing?.list_services_response.service.map(({ name }: LooseMessage) => name);
    expect(services).toEqual(expect.arrayContaining([...names, "grpc.health.v1.Health"]));
    expect(answers).toHaveLength(names.length);

    for (const [index, answer] of answers.entries()) {
      const files = filesOf(answer);
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: importsFirst(files) }));
      const [wanted, given] = [contract[index], registry.getService(names[index] ?? "")];
      expect(given?.methods.map(({ name, input, output }) => [name, input.typeName, output.typeName])).toEqual(
        wanted?.methods.map(({ name, input, output }) => [name, input.typeName, output.typeName]),
      );
      expect(files.map(({ name }) => name)).toContain("buf/validate/validate.proto");
    }
  });

  it("finds files by name, and by the name of a method, message, enum or what is nested in one", async () => {
    const symbols: [string, string][] = [
      ["clavis.v1.KeyService.CreateKey", "clavis/v1/key_service.proto"],
      ["clavis.v1.Key", "clavis/v1/key.proto"],
      ["clavis.v1.KeyState", "clavis/v1/key.proto"],
      ["clavis.v1.ErrorReason", "clavis/v1/error_reason.proto"],
      ["google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
      ["google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"],
      ["google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
      ["buf.validate.field", "buf/validate/validate.proto"],
    ];
    const answers = await ask(symbols.map(([symbol]) => ({ file_containing_symbol: symbol })));
    expect(answers.map((answer) => filesOf(answer)[0]?.name)).toEqual(symbols.map(([, file]) => file));
    const byName = await ask(symbols.map(([, file]) => ({ file_by_filename: file })));
    expect(byName.map((answer) => filesOf(answer)[0]?.name)).toEqual(symbols.map(([, file]) => file));
  });

  it("answers what it does not know with an error of that question alone, and repeats the question", async () => {
    const questions = [
      { host: "here", file_containing_symbol: "clavis.v1.Nothing" },
      { file_by_filename: "../../etc/passwd" },
      { file_containing_extension: { containing_type: "google.protobuf.FieldOptions", extension_number: 1159 } },
      { all_extension_numbers_of_type: "google.protobuf.FieldOptions" },
      { file_containing_symbol: "clavis.v1.Key" },
    ];
    const answers = await ask(questions);
    expect(answers.map(({ error_response: error }) => error?.error_code)).toEqual([5, 5, 12, 12, undefined]);
    expect(answers[0]).toMatchObject({
      valid_host: "here",
      original_request: { host: "here", file_containing_symbol: "clavis.v1.Nothing" },
    });
    expect(filesOf(answers[4])[0]?.name).toBe("clavis/v1/key.proto");
  });
});

/** Asks one after another on one stream. */
async function ask(questions: readonly LooseMessage[]): Promise<LooseMessage[]> {
  using client = openGrpcJs({ address: new URL(service.url).host, service: "grpc.reflection.v1.ServerReflection" });
  const stream = client.duplex("ServerReflectionInfo");
  const answers: LooseMessage[] = [];
  stream.on("data", (answer: LooseMessage) => answers.push(answer));
  const ended = once(stream, "end");
  for (const question of questions) stream.write(question);
  stream.end();
  await ended;
  expect(answers).toHaveLength(questions.length);
  return answers;
}

function filesOf(answer: LooseMessage | undefined): FileDescriptorProto[] {
  const files: Buffer[] = answer?.file_descriptor_response?.file_descriptor_proto ?? [];
  return files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

/** In an order in which each file comes after those that it imports. Throws if one is not there. */
function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Map<string, FileDescriptorProto>();
  const visit = (name: string) => {
    if (ordered.has(name)) return;
    const file = files.find((one) => one.name === name);
    if (file === undefined) throw new Error(`${name} is not among the files`);
    file.dependency.forEach(visit);
    ordered.set(name, file);
  };
  for (const { name } of files) visit(name);
  return [...ordered.values()];
}

async function curl(protocol: string, name: string, request: object, token: string): Promise<LooseMessage> {
  const { code, stdout, stderr } = await run(argsFor(protocol, name, request, token));
  if (code !== 0) throw new Error(`${name}: ${stderr}`);
  return JSON.parse(stdout) as LooseMessage;
}

function argsFor(protocol: string, name: string, request: object, token: string): string[] {
  const header = `Authorization: Bearer ${token}`;
  const transport = ["--protocol", protocol, "--http2-prior-knowledge"];
  return [...transport, "-H", header, "-d", JSON.stringify(request), `${service.url}/clavis.v1.${name}`];
}

function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(buf, ["curl", ...args], (error, stdout, stderr) => {
      const code = error?.code ?? 0;
      if (typeof code === "number") resolve({ code, stdout, stderr });
      else reject(error ?? new Error(code));
    });
  });
}
