import { randomUUID } from "node:crypto";
import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { CreateKeyRequestSchema } from "../../src/gen/clavis/v1/key_service_pb.ts";
import {
  BatchVerifyRequestSchema,
  BatchVerifyResponseSchema,
  Outcome,
  VerifyRequestSchema,
  type VerifyResponse,
  VerifyResponseSchema,
} from "../../src/gen/clavis/v1/verify_service_pb.ts";
import { envelope } from "../harness/wire.ts";
import { bulkSecret } from "./bulk-keys.ts";
import type { Load } from "./load.ts";
import { PERMISSIONS, type Work } from "./servers/work.ts";

const CONNECTIONS = 8;

/** How the contract is spoken: what the load is, and how its answer is read. */
export interface Speech {
  load(url: string, work: Work): Load;
  verdicts(answer: Buffer): readonly VerifyResponse[];
}

/** What the message of a good verdict begins with. */
const VALID = Buffer.from(toBinary(VerifyResponseSchema, create(VerifyResponseSchema, { outcome: Outcome.VALID })));

/** Any message will do. */
const ANY = Buffer.alloc(0);

/** Eight connections with sixteen calls each, as SDKs and gateways share them; over HTTP/1.1 one call each. */
export const grpcVerify: Speech = {
  load: (url, work) => ({
    ...http2(url, "Verify"),
    headers: headers(work, "application/grpc"),
    body: envelope(toBinary(VerifyRequestSchema, aRequest(work))),
    expected: VALID,
  }),
  verdicts: (answer) => [fromBinary(VerifyResponseSchema, answer.subarray(5))],
};

export const grpcBatch: Speech = {
  load: (url, work) => ({
    ...http2(url, "BatchVerify"),
    headers: headers(work, "application/grpc"),
    body: envelope(toBinary(BatchVerifyRequestSchema, aBatch(work))),
    expected: ANY,
  }),
  verdicts: (answer) =>
    fromBinary(BatchVerifyResponseSchema, answer.subarray(5)).results.map(
      ({ result }) => result.value as VerifyResponse,
    ),
};

export const connectBinary: Speech = {
  load: (url, work) => ({
    ...http1(url),
    headers: headers(work, "application/proto"),
    body: Buffer.from(toBinary(VerifyRequestSchema, aRequest(work))),
    expected: ANY,
  }),
  verdicts: (answer) => [fromBinary(VerifyResponseSchema, answer)],
};

export const connectJson: Speech = {
  load: (url, work) => ({
    ...http1(url),
    headers: headers(work, "application/json"),
    body: Buffer.from(toJsonString(VerifyRequestSchema, aRequest(work))),
    expected: ANY,
  }),
  verdicts: (answer) => [fromJsonString(VerifyResponseSchema, answer.toString())],
};

/** Verify over gRPC of all secrets in `file`, one a line, in turn, so many under way on each connection. */
export function grpcVerifyEach(url: string, work: Work, file: string, streams = 16): Load {
  const load = grpcVerify.load(url, work);
  return { ...load, streams, variation: { kind: "lines", at: load.body.indexOf(work.secrets[0] ?? ""), file } };
}

/** Verify over gRPC of keys that were added in bulk to the keyspace of `work`, drawn from so many. */
export function grpcVerifyBulk(url: string, work: Work, keys: number, draw: "zipf" | "uniform", streams = 16): Load {
  const load = grpcVerify.load(url, { ...work, secrets: [bulkSecret(0)] });
  return { ...load, streams, variation: { kind: "bulk", at: load.body.indexOf(bulkSecret(0)), keys, draw } };
}

/** CreateKey over gRPC, each with a `request_id` of its own. */
export function grpcCreateKey(url: string, work: Work): Load {
  const requestId = randomUUID();
  const body = envelope(toBinary(CreateKeyRequestSchema, create(CreateKeyRequestSchema, { ...aKey(work), requestId })));
  return {
    url: `${url}/clavis.v1.KeyService/CreateKey`,
    http: 2,
    connections: CONNECTIONS,
    streams: 8,
    headers: headers(work, "application/grpc"),
    body,
    variation: { kind: "uuid", at: body.indexOf(requestId) },
    expected: ANY,
  };
}

/** The terms of each key. */
export function aKey({ keyspaceId }: Pick<Work, "keyspaceId">) {
  return {
    keyspaceId,
    displayName: "CI",
    ownerId: "customer-7",
    permissions: [...PERMISSIONS],
    metadata: { plan: "pro" },
  };
}

/** Throws unless all that was answered is that the keys may be used. */
export function mustBeValid(verdicts: readonly VerifyResponse[], count: number): void {
  const wrong = verdicts.find(({ outcome }) => outcome !== Outcome.VALID);
  if (verdicts.length !== count || wrong !== undefined)
    throw new Error(`not what was to be measured: ${wrong?.message}`);
}

/** Secrets in one batch. */
export const BATCH = 64;

function http2(url: string, method: string): Pick<Load, "url" | "http" | "connections" | "streams"> {
  return { url: `${url}/clavis.v1.VerifyService/${method}`, http: 2, connections: CONNECTIONS, streams: 16 };
}

function http1(url: string): Pick<Load, "url" | "http" | "connections" | "streams"> {
  return { url: `${url}/clavis.v1.VerifyService/Verify`, http: 1, connections: 16, streams: 1 };
}

function headers({ token }: Work, type: string): Record<string, string> {
  return {
    "content-type": type,
    ...(type === "application/grpc" && { te: "trailers" }),
    authorization: `Bearer ${token}`,
  };
}

function aRequest({ keyspaceId, secrets }: Work, index = 0) {
  const secret = secrets[index % secrets.length] ?? "";
  return create(VerifyRequestSchema, { secret, keyspaceId, permissions: [PERMISSIONS[0]], clientIp: "192.0.2.7" });
}

function aBatch(work: Work) {
  return create(BatchVerifyRequestSchema, {
    requests: Array.from({ length: BATCH }, (_, index) => aRequest(work, index)),
  });
}
