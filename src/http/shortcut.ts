import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { RequestHandler } from "./request-handler.ts";

/** Is asked before the handler, and answers what it takes. */
export interface Shortcut {
  /** Whether it has taken the stream. What it does not take it leaves untouched. */
  onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
  /** The same over HTTP/1.1. */
  onRequest(req: IncomingMessage, res: ServerResponse): boolean;
}

/** The handler, with the shortcut before it over HTTP/1.1. */
export function withShortcut(handler: RequestHandler, shortcut: Shortcut | undefined): RequestHandler {
  if (shortcut === undefined) return handler;
  return (req, res) => {
    // Streams of HTTP/2 have been offered before there was a request.
    const taken = "stream" in req || "stream" in res ? false : shortcut.onRequest(req, res);
    if (!taken) handler(req, res);
  };
}

/** Node makes requests of streams in a listener of its own, which costs more than all that is asked of a shortcut. */
export function putBeforeStreams(http2: Http2Server | Http2SecureServer, shortcut: Shortcut): void {
  const makeRequest = http2.listeners("stream") as ((stream: ServerHttp2Stream, ...rest: unknown[]) => void)[];
  http2.removeAllListeners("stream");
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ...rest: unknown[]) => {
    if (shortcut.onStream(stream, headers)) return;
    for (const listener of makeRequest) listener.call(http2, stream, headers, ...rest);
  });
}
