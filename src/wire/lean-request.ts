import type { IncomingHttpHeaders } from "node:http";
import { VerifyService } from "../gen/clavis/v1/verify_service_pb.ts";
import { BATCH_BYTES_MAX, TIMEOUT_MS_MAX, VERIFY_BYTES_MAX } from "../rpc/limits.ts";

export type MethodName = "verify" | "batchVerify";

/** How a request and its answer are put into bytes. */
export type Encoding = "binary" | "json";

/** A request that the lean path takes on, by what its headers say. */
export interface LeanRequest {
  readonly method: MethodName;
  readonly protocol: "grpc" | "connect";
  readonly encoding: Encoding;
  /** Of its message. */
  readonly bytesMax: number;
  /** From the arrival of the headers; undefined for as long as it takes. */
  readonly timeoutMs: number | undefined;
}

/**
 * What the lean path makes of a request; undefined for whatever is not the plain case, right or wrong, which is for the stock handler
 * to answer. gRPC needs HTTP/2.
 */
export function leanRequestOf(request: {
  readonly httpMethod: string | undefined;
  readonly path: string | undefined;
  readonly authority: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly http2: boolean;
}): LeanRequest | undefined {
  const { httpMethod, path = "", authority, headers, http2 } = request;
  const method = methods.get(path);
  const type = contentTypes.get(headers["content-type"] ?? "");
  if (method === undefined || type === undefined || httpMethod !== "POST") return undefined;
  if (authority === undefined || !isAuthority(authority)) return undefined;
  for (const name of unusualHeaders) if (headers[name] !== undefined) return undefined;

  if (type.protocol === "grpc") {
    if (!http2) return undefined;
    const timeoutMs = grpcTimeoutMs(headers["grpc-timeout"]);
    return timeoutMs === null ? undefined : leanRequest(method, type, timeoutMs);
  }
  if ((headers["connect-protocol-version"] ?? "1") !== "1") return undefined;
  // Refused before it is read.
  if (Number(headers["content-length"] ?? 0) > method.bytesMax) return undefined;
  const timeoutMs = connectTimeoutMs(headers["connect-timeout-ms"]);
  return timeoutMs === null ? undefined : leanRequest(method, type, timeoutMs);
}

/** Field by field: spreading costs several times as much. */
function leanRequest(
  { method, bytesMax }: Pick<LeanRequest, "method" | "bytesMax">,
  { protocol, encoding }: Pick<LeanRequest, "protocol" | "encoding">,
  timeoutMs: number | undefined,
): LeanRequest {
  return { method, bytesMax, protocol, encoding, timeoutMs };
}

/** Authorities that can be parsed. A server has few, and hears them with every call; whoever makes up others gains nothing. */
const soundAuthorities = new Set<string>();
const SOUND_AUTHORITIES_MAX = 100;
const AUTHORITY_LENGTH_MAX = 300;

function isAuthority(text: string): boolean {
  if (soundAuthorities.has(text)) return true;
  if (!URL.canParse(`http://${text}`)) return false;
  if (soundAuthorities.size < SOUND_AUTHORITIES_MAX && text.length <= AUTHORITY_LENGTH_MAX) soundAuthorities.add(text);
  return true;
}

const bytesMax: Record<MethodName, number> = { verify: VERIFY_BYTES_MAX, batchVerify: BATCH_BYTES_MAX };

const methods: ReadonlyMap<string, Pick<LeanRequest, "method" | "bytesMax">> = new Map(
  (["verify", "batchVerify"] as const).map((method) => [
    `/${VerifyService.typeName}/${VerifyService.method[method].name}`,
    { method, bytesMax: bytesMax[method] },
  ]),
);

/** Letter by letter: others that mean the same are rare. */
const contentTypes: ReadonlyMap<string, Pick<LeanRequest, "protocol" | "encoding">> = new Map([
  ["application/grpc", { protocol: "grpc", encoding: "binary" }],
  ["application/grpc+proto", { protocol: "grpc", encoding: "binary" }],
  ["application/proto", { protocol: "connect", encoding: "binary" }],
  ["application/json", { protocol: "connect", encoding: "json" }],
]);

/** Compression, browsers, and whoever waits to be told to go on. */
const unusualHeaders = ["content-encoding", "grpc-encoding", "origin", "expect"] as const;

type Header = string | string[] | undefined;

/** `grpc-timeout` in milliseconds; null if it is none. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function grpcTimeoutMs(header: Header): number | null | undefined {
  if (header === undefined) return undefined;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  if (digits === undefined || unit === undefined) return null;
  return bounded(Number(digits) * (unitMs[unit] ?? 0));
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** `connect-timeout-ms`; null if it is none. https://connectrpc.com/docs/protocol */
function connectTimeoutMs(header: Header): number | null | undefined {
  if (header === undefined) return undefined;
  return /^\d{1,10}$/.test(String(header)) ? bounded(Number(header)) : null;
}

function bounded(timeoutMs: number): number | null {
  return timeoutMs <= TIMEOUT_MS_MAX ? timeoutMs : null;
}
