import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { CALL_ID_HEADER } from "../rpc/call-observer.ts";
import { jsonOptions } from "../rpc/json-options.ts";
import { frame } from "./grpc-frame.ts";
import type { Encoding } from "./lean-request.ts";

/** One request and the way back to who sent it. Answered once at most. */
export interface Exchange {
  /** What the body is read from. */
  readonly source: Readable;
  succeed(callId: string, message: Uint8Array): void;
  /** The error names the call. */
  fail(error: ConnectError): void;
  /** Without an answer. */
  breakOff(): void;
  /** Calls back once, when there is nobody any more who could be answered, or after the answer. */
  onClose(listener: () => void): void;
}

/** Headers that every answer has, whatever it is. */
export type CommonHeaders = Readonly<Record<string, string>>;

/** gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
export function createGrpcExchange(stream: ServerHttp2Stream, common: CommonHeaders): Exchange {
  function respond(headers: Record<string, string>, trailers: Record<string, string>, message?: Uint8Array): void {
    if (stream.destroyed || stream.closed) return;
    stream.respond(
      { ":status": 200, "content-type": "application/grpc+proto", ...common, ...headers },
      { waitForTrailers: true },
    );
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(message);
  }

  return {
    ...overHttp2(stream),
    succeed: (callId, message) => respond({ [CALL_ID_HEADER]: callId }, OK_TRAILERS, frame(message)),
    fail: (error) => respond({}, Object.fromEntries(setTrailerStatus(new Headers(), error))),
  };
}

const OK_TRAILERS = { "grpc-status": "0" };

/** Connect's unary calls over HTTP/2 (https://connectrpc.com/docs/protocol). */
export function createConnectExchange(stream: ServerHttp2Stream, encoding: Encoding, common: CommonHeaders): Exchange {
  function respond(status: number, headers: Record<string, string>, body: Uint8Array): void {
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ":status": status, ...common, ...headers });
    stream.end(body);
  }

  return { ...overHttp2(stream), ...connectAnswers(encoding, respond) };
}

/** The same over HTTP/1.1. */
export function createHttp1Exchange(
  req: IncomingMessage,
  res: ServerResponse,
  encoding: Encoding,
  common: CommonHeaders,
): Exchange {
  function respond(status: number, headers: Record<string, string>, body: Uint8Array): void {
    if (res.destroyed) return;
    res.writeHead(status, { ...common, ...headers });
    res.end(body);
  }

  return {
    source: req,
    ...connectAnswers(encoding, respond),
    breakOff: () => void res.destroy(),
    onClose: (listener) => void res.once("close", listener),
  };
}

function overHttp2(stream: ServerHttp2Stream): Pick<Exchange, "source" | "breakOff" | "onClose"> {
  stream.on("error", passOver);
  return {
    source: stream,
    breakOff: () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    onClose: (listener) => void stream.once("close", listener),
  };
}

/** Whoever resets a stream may do so; without a listener it would be our affair. */
function passOver(): void {}

function connectAnswers(
  encoding: Encoding,
  respond: (status: number, headers: Record<string, string>, body: Uint8Array) => void,
): Pick<Exchange, "succeed" | "fail"> {
  return {
    succeed: (callId, message) =>
      respond(
        200,
        {
          "content-type": `application/${encoding === "binary" ? "proto" : "json"}`,
          "content-length": String(message.byteLength),
          [CALL_ID_HEADER]: callId,
        },
        message,
      ),
    fail(error) {
      const body = errorToJsonBytes(error, jsonOptions);
      const headers = { "content-type": "application/json", "content-length": String(body.byteLength) };
      respond(codeToHttpStatus(error.code), { ...Object.fromEntries(error.metadata), ...headers }, body);
    },
  };
}
