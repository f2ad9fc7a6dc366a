import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { RequestHandler } from "./request-handler.ts";

/** What the protocols need beyond what browsers allow by themselves: of Connect, and of gRPC-Web. */
const REQUEST_HEADERS = [
  "authorization",
  "connect-protocol-version",
  "connect-timeout-ms",
  "content-type",
  "grpc-timeout",
  "user-agent",
  "x-grpc-web",
  "x-user-agent",
].join(", ");
const RESPONSE_HEADERS = ["clavis-call-id", "grpc-message", "grpc-status", "grpc-status-details-bin"].join(", ");

const DAY_SECONDS = 24 * 60 * 60;

/** Lets pages of these origins call (https://fetch.spec.whatwg.org/#http-cors-protocol). Credentials are never sent by browsers here. */
export function withCors(origins: readonly string[], handler: RequestHandler): RequestHandler {
  if (origins.length === 0) return handler;
  return (req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse, body) => {
    const { origin } = req.headers;
    for (const [name, value] of Object.entries(corsHeadersFor(origins))) res.setHeader(name, value);
    if (origin === undefined || !(origins.includes("*") || origins.includes(origin))) return handler(req, res, body);
    res.setHeader("access-control-allow-origin", origin);
    res.setHeader("access-control-expose-headers", RESPONSE_HEADERS);
    if (req.method !== "OPTIONS") return handler(req, res, body);
    res.setHeader("access-control-allow-methods", "GET, POST");
    res.setHeader("access-control-allow-headers", REQUEST_HEADERS);
    res.setHeader("access-control-max-age", String(DAY_SECONDS));
    res.statusCode = 204;
    res.end();
  };
}

/** What every answer says if pages of these origins may call, whoever asks: caches must tell them apart. */
export function corsHeadersFor(origins: readonly string[]): Readonly<Record<string, string>> {
  return origins.length === 0 ? {} : { vary: "origin" };
}
