import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { Code, ConnectError, ConnectRouter, ContextValues } from "@connectrpc/connect";
import { encodeEnvelope, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { RequestHandler } from "../http/request-handler.ts";
import { REQUEST_TIMEOUT_MS } from "../http/server-settings.ts";
import { readable } from "./unreadable.ts";

interface AdapterOptions {
  readonly router: ConnectRouter;
  readonly contextValues: (req: IncomingMessage | Http2ServerRequest) => ContextValues;
  /** Whether an interceptor has seen the call, and so named, logged and counted its error. */
  readonly isObserved: (values: ContextValues) => boolean;
  /** Told of each call that failed before any interceptor saw it. May add to the answer's headers. */
  readonly onUnobserved: (method: string, code: Code, values: ContextValues, header: Headers) => void;
}

/**
 * Brings Node's requests to the router, as Connect's own adapter does, with two differences. A request without a sound authority
 * is refused, where that one throws into the server's event and so ends the process. And what Connect says of requests that it
 * cannot read, before any interceptor runs, is put into our words: its own call bad bytes an internal error, and quote them.
 */
export function createNodeAdapter({ router, contextValues, isObserved, onUnobserved }: AdapterOptions): RequestHandler {
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (req, res, body) => {
    const handler = handlers.get((req.url ?? "").split("?", 1)[0] ?? "");
    if (handler === undefined) return refuse(res, 404);
    const values = contextValues(req);
    let request: ReturnType<typeof universalRequestFromNodeRequest>;
    try {
      request = universalRequestFromNodeRequest(req, res, undefined, values);
    } catch {
      return refuse(res, 400);
    }
    if ("stream" in res && handler.method.methodKind !== "bidi_streaming") limitReading(req, res);
    const method = `${handler.service.typeName}/${handler.method.name}`;
    handler(body === undefined ? request : { ...request, body })
      .then(async (response) => {
        const answer = isObserved(values)
          ? response
          : await restate(response, (code, header) => onUnobserved(method, code, values, header));
        await universalResponseToNodeResponse(answer, res);
      })
      // The caller has gone, or else waits for an answer that cannot come.
      .catch(() => breakOff(res));
  };
}

function refuse(res: ServerResponse | Http2ServerResponse, status: number): void {
  res.statusCode = status;
  res.end();
}

function breakOff(res: ServerResponse | Http2ServerResponse): void {
  if ("stream" in res) res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else res.destroy();
}

/** HTTP/1.1 has such a limit in Node's server; a stream of HTTP/2 would wait for the rest of its request for ever. */
function limitReading(req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse): void {
  const late = setTimeout(() => breakOff(res), REQUEST_TIMEOUT_MS);
  for (const event of ["end", "close"]) req.once(event, () => clearTimeout(late));
}

type Told = (code: Code, header: Headers) => void;

/** The answer with its error, if it has one, in our words. Such an answer holds nothing else. */
async function restate(response: UniversalServerResponse, told: Told): Promise<UniversalServerResponse> {
  const header = new Headers(response.header);
  const type = header.get("content-type") ?? "";
  if (type.startsWith("application/grpc-web")) return restateGrpcWeb(response, header, told);
  if (type.startsWith("application/grpc")) return restateGrpc(response, header, told);
  return type === "application/json" && response.status >= 400 ? restateConnect(response, header, told) : response;
}

async function restateConnect(
  response: UniversalServerResponse,
  header: Headers,
  told: Told,
): Promise<UniversalServerResponse> {
  const fallback = readable(undefined);
  const error = readable(errorFromJsonBytes(await bytesOf(response.body), undefined, fallback));
  told(error.code, header);
  const body = errorToJsonBytes(error, undefined);
  header.set("content-length", String(body.byteLength));
  return { ...response, status: codeToHttpStatus(error.code), header, body: chunks(body) };
}

function restateGrpc(response: UniversalServerResponse, header: Headers, told: Told): UniversalServerResponse {
  const trailer = new Headers(response.trailer);
  const found = findTrailerError(trailer);
  if (found === undefined) return response;
  const error = readable(found);
  told(error.code, header);
  return { ...response, header, trailer: trailerOf(error) };
}

async function restateGrpcWeb(
  response: UniversalServerResponse,
  header: Headers,
  told: Told,
): Promise<UniversalServerResponse> {
  const body = await bytesOf(response.body);
  const found =
    body[0] === trailerFlag ? findTrailerError(trailerParse(body.subarray(ENVELOPE_HEAD_BYTES))) : undefined;
  if (found === undefined) return { ...response, body: chunks(body) };
  const error = readable(found);
  told(error.code, header);
  return { ...response, header, body: chunks(encodeEnvelope(trailerFlag, trailerSerialize(trailerOf(error)))) };
}

/** Flags and length before each message of gRPC-Web. */
const ENVELOPE_HEAD_BYTES = 5;

function trailerOf(error: ConnectError): Headers {
  const trailer = new Headers();
  setTrailerStatus(trailer, error);
  return trailer;
}

async function bytesOf(body: UniversalServerResponse["body"]): Promise<Uint8Array> {
  return Buffer.concat(body === undefined || body === null ? [] : await Array.fromAsync(body));
}

async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
