import { type ClientHttp2Session, connect, constants } from "node:http2";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";

/** The ways to speak to the service. */
export const PROTOCOLS = ["connect+json", "connect+proto", "grpc", "grpc-web"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** What came back, whatever the protocol. */
export interface WireAnswer {
  readonly httpStatus: number;
  /** `ok`, `not_found`, or `http_404` where the answer was not one of the protocol. */
  readonly code: string;
  readonly message: string;
  /** Of ErrorInfo; empty if there is none. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields that BadRequest names. */
  readonly fields: readonly string[];
  readonly retryAfterMs: number | undefined;
  /** The message, undecoded. Empty for an error. */
  readonly body: Uint8Array;
  /** All that was received: headers, body and trailers, for who looks for something in it. */
  readonly everything: string;
}

export interface WireRequest {
  readonly path: string;
  /** The message, encoded and without an envelope, unless `framed`. */
  readonly body: Uint8Array | string;
  readonly protocol?: Protocol;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the body brings its own envelope. */
  readonly framed?: boolean;
  readonly method?: string;
}

/** One HTTP/2 connection on which anything can be said. */
export interface Wire extends AsyncDisposable {
  send(request: WireRequest): Promise<WireAnswer>;
  /** A typed call in Connect's binary form. The answer is undefined if it failed. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    init: MessageInitShape<Input>,
    token?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<WireAnswer & { readonly answer: MessageShape<Output> | undefined }>;
  readonly session: ClientHttp2Session;
}

export function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

export async function openWire(url: string): Promise<Wire> {
  const session = connect(url);
  session.on("error", () => {});
  await new Promise<void>((resolve, reject) => session.once("connect", () => resolve()).once("error", reject));
  const wire: Wire = {
    session,
    send: (request) => send(session, request),
    async call(method, init, token, headers = {}) {
      const body = toBinary(method.input, create(method.input, init));
      const got = await send(session, { path: pathOf(method), body, protocol: "connect+proto", token, headers });
      return { ...got, answer: got.code === "ok" ? fromBinary(method.output, got.body) : undefined };
    },
    async [Symbol.asyncDispose]() {
      session.destroy();
    },
  };
  return wire;
}

const contentTypes: Record<Protocol, string> = {
  "connect+json": "application/json",
  "connect+proto": "application/proto",
  grpc: "application/grpc",
  "grpc-web": "application/grpc-web+proto",
};

/** Flags and length, as gRPC frames messages. */
export function envelope(bytes: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

async function send(session: ClientHttp2Session, request: WireRequest): Promise<WireAnswer> {
  const { path, token, headers = {}, protocol = "connect+proto", framed = false, method = "POST" } = request;
  const bytes = Buffer.from(request.body);
  const isGrpc = protocol.startsWith("grpc");
  const stream = session.request({
    ":method": method,
    ":path": path,
    "content-type": contentTypes[protocol],
    ...(isGrpc && { te: "trailers" }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...headers,
  });
  const chunks: Buffer[] = [];
  const seen: Record<string, unknown>[] = [];
  let httpStatus = 0;
  let trailers: Record<string, unknown> = {};
  stream.on("response", (head) => {
    httpStatus = Number(head[":status"]);
    seen.push(head);
  });
  stream.on("trailers", (tail) => {
    trailers = tail;
    seen.push(tail);
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // What a refused or broken stream says is its reset code.
  stream.on("error", () => {});
  stream.end(isGrpc && !framed ? envelope(bytes) : bytes);
  await new Promise((resolve) => stream.once("close", resolve));
  const body = Buffer.concat(chunks);
  const everything = `${seen.map((part) => JSON.stringify(part)).join("\n")}\n${body.toString("latin1")}`;
  if (httpStatus === 0) return failed(0, `reset_${stream.rstCode ?? constants.NGHTTP2_NO_ERROR}`, everything);
  const read = { connect: readConnect, grpc: readGrpc, "grpc-web": readGrpcWeb }[protocol.replace(/\+.*/, "")];
  return (read ?? readConnect)(httpStatus, body, trailers, everything, seen[0] ?? {});
}

function failed(httpStatus: number, code: string, everything: string): WireAnswer {
  const nothing = {
    message: "",
    reason: "",
    metadata: {},
    fields: [],
    retryAfterMs: undefined,
    body: new Uint8Array(),
  };
  return { ...nothing, httpStatus, code, everything };
}

type Details = readonly { readonly type: string; readonly value: Uint8Array }[];

function withDetails(answer: WireAnswer, code: string, message: string, details: Details): WireAnswer {
  const of = (type: string) => details.find((one) => one.type === type)?.value;
  const info = of(ErrorInfoSchema.typeName);
  const bad = of(BadRequestSchema.typeName);
  const retry = of(RetryInfoSchema.typeName);
  const { reason = "", metadata = {} } = info ? fromBinary(ErrorInfoSchema, info) : {};
  const delay = retry && fromBinary(RetryInfoSchema, retry).retryDelay;
  return {
    ...answer,
    code,
    message,
    reason,
    metadata,
    fields: bad ? fromBinary(BadRequestSchema, bad).fieldViolations.map(({ field }) => field) : [],
    retryAfterMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

function readConnect(
  httpStatus: number,
  body: Buffer,
  _trailers: unknown,
  everything: string,
  head: Record<string, unknown>,
): WireAnswer {
  const answer = failed(httpStatus, `http_${httpStatus}`, everything);
  if (httpStatus === 200) return { ...answer, code: "ok", body };
  if (head["content-type"] !== "application/json" || body.length === 0) return answer;
  const error = JSON.parse(body.toString()) as {
    code: string;
    message?: string;
    details?: { type: string; value: string }[];
  };
  const details = (error.details ?? []).map(({ type, value }) => ({ type, value: Buffer.from(value, "base64") }));
  return withDetails(answer, error.code, error.message ?? "", details);
}

function readGrpc(
  httpStatus: number,
  body: Buffer,
  trailers: Record<string, unknown>,
  everything: string,
  head: Record<string, unknown>,
): WireAnswer {
  const answer = failed(httpStatus, `http_${httpStatus}`, everything);
  const tail = { ...head, ...trailers };
  const status = tail["grpc-status"];
  if (status === undefined) return answer;
  if (status === "0") return { ...answer, code: "ok", body: body.subarray(5) };
  const message = decodeURIComponent(textOf(tail["grpc-message"]));
  const bytes = Buffer.from(textOf(tail["grpc-status-details-bin"]), "base64");
  return withDetails(answer, nameOf(Number(status)), message, anysOf(bytes));
}

function readGrpcWeb(
  httpStatus: number,
  body: Buffer,
  _trailers: unknown,
  everything: string,
  head: Record<string, unknown>,
): WireAnswer {
  let rest: Uint8Array = body;
  let message: Uint8Array = Buffer.alloc(0);
  while (rest.length >= 5 && rest[0] === 0) {
    const end = 5 + Buffer.from(rest).readUInt32BE(1);
    message = rest.subarray(5, end);
    rest = rest.subarray(end);
  }
  const lines = Buffer.from(rest.subarray(5)).toString().split("\r\n");
  const tail = Object.fromEntries(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2)));
  return readGrpc(httpStatus, envelope(message), tail, everything, head);
}

function anysOf(bytes: Uint8Array): Details {
  const schemas = [ErrorInfoSchema, BadRequestSchema, RetryInfoSchema];
  return fromBinary(StatusSchema, bytes).details.flatMap((any) =>
    schemas.flatMap((schema) => {
      const value = anyUnpack(any, schema);
      return value === undefined ? [] : [{ type: schema.typeName as string, value: toBinary(schema, value as never) }];
    }),
  );
}

function textOf(header: unknown): string {
  return typeof header === "string" ? header : "";
}

/** `NotFound` as `not_found`. */
function nameOf(code: number): string {
  return (Code[code] ?? `grpc_${code}`).replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
