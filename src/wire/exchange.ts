import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
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

/** Ways back, by how a request came. */
export interface Exchanges {
  /** gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
  grpc(stream: ServerHttp2Stream): Exchange;
  /** Connect's unary calls over HTTP/2 (https://connectrpc.com/docs/protocol). */
  connect(stream: ServerHttp2Stream, encoding: Encoding): Exchange;
  /** The same over HTTP/1.1. */
  http1(req: IncomingMessage, res: ServerResponse, encoding: Encoding): Exchange;
}

export function createExchanges(common: CommonHeaders): Exchanges {
  const grpcHead = { ":status": 200, "content-type": "application/grpc+proto", ...common };
  const connectHeads: Record<Encoding, CommonHeaders> = {
    binary: { "content-type": "application/proto", ...common },
    json: { "content-type": "application/json", ...common },
  };
  return {
    grpc: (stream) => new GrpcExchange(stream, grpcHead),
    connect: (stream, encoding) => new ConnectExchange(stream, connectHeads[encoding], common),
    http1: (req, res, encoding) => new Http1Exchange(req, res, connectHeads[encoding], common),
  };
}

// Classes, since one of these is made for each call: closures and the headers in common made anew cost as much as the answer.

abstract class Http2Exchange {
  readonly source: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.source = stream;
    stream.on("error", passOver);
  }

  breakOff(): void {
    this.source.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  onClose(listener: () => void): void {
    this.source.once("close", listener);
  }

  protected get isGone(): boolean {
    return this.source.destroyed || this.source.closed;
  }
}

class GrpcExchange extends Http2Exchange implements Exchange {
  readonly #head: OutgoingHttpHeaders;

  constructor(stream: ServerHttp2Stream, head: OutgoingHttpHeaders) {
    super(stream);
    this.#head = head;
  }

  succeed(callId: string, message: Uint8Array): void {
    if (this.isGone) return;
    this.source.respond({ ...this.#head, [CALL_ID_HEADER]: callId }, WAIT_FOR_TRAILERS);
    this.source.on("wantTrailers", sendOkTrailers);
    this.source.end(frame(message));
  }

  fail(error: ConnectError): void {
    if (this.isGone) return;
    const { source } = this;
    const trailers = Object.fromEntries(setTrailerStatus(new Headers(), error));
    source.respond(this.#head, WAIT_FOR_TRAILERS);
    source.once("wantTrailers", () => source.sendTrailers(trailers));
    source.end();
  }
}

const WAIT_FOR_TRAILERS = { waitForTrailers: true };
const OK_TRAILERS = { "grpc-status": "0" };

function sendOkTrailers(this: ServerHttp2Stream): void {
  this.sendTrailers(OK_TRAILERS);
}

class ConnectExchange extends Http2Exchange implements Exchange {
  readonly #head: CommonHeaders;
  readonly #common: CommonHeaders;

  constructor(stream: ServerHttp2Stream, head: CommonHeaders, common: CommonHeaders) {
    super(stream);
    this.#head = head;
    this.#common = common;
  }

  succeed(callId: string, message: Uint8Array): void {
    if (this.isGone) return;
    this.source.respond({ ":status": 200, ...this.#head, ...answerHeaders(callId, message) });
    this.source.end(message);
  }

  fail(error: ConnectError): void {
    if (this.isGone) return;
    const { status, headers, body } = connectError(error);
    this.source.respond({ ":status": status, ...this.#common, ...headers });
    this.source.end(body);
  }
}

class Http1Exchange implements Exchange {
  readonly source: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #head: CommonHeaders;
  readonly #common: CommonHeaders;

  constructor(req: IncomingMessage, res: ServerResponse, head: CommonHeaders, common: CommonHeaders) {
    this.source = req;
    this.#res = res;
    this.#head = head;
    this.#common = common;
  }

  succeed(callId: string, message: Uint8Array): void {
    if (this.#res.destroyed) return;
    this.#res.writeHead(200, { ...this.#head, ...answerHeaders(callId, message) });
    this.#res.end(message);
  }

  fail(error: ConnectError): void {
    if (this.#res.destroyed) return;
    const { status, headers, body } = connectError(error);
    this.#res.writeHead(status, { ...this.#common, ...headers });
    this.#res.end(body);
  }

  breakOff(): void {
    this.#res.destroy();
  }

  onClose(listener: () => void): void {
    this.#res.once("close", listener);
  }
}

/** Whoever resets a stream may do so; without a listener it would be our affair. */
function passOver(): void {}

function answerHeaders(callId: string, message: Uint8Array): Record<string, string> {
  return { "content-length": String(message.byteLength), [CALL_ID_HEADER]: callId };
}

/** An error as Connect's unary calls put it. */
function connectError(error: ConnectError): { status: number; headers: Record<string, string>; body: Uint8Array } {
  const body = errorToJsonBytes(error, jsonOptions);
  const ofBody = { "content-type": "application/json", "content-length": String(body.byteLength) };
  return {
    status: codeToHttpStatus(error.code),
    headers: { ...Object.fromEntries(error.metadata), ...ofBody },
    body,
  };
}
