import type { Readable } from "node:stream";

/** What has been read of a body, and whether that is all of it. */
export interface Arrived {
  readonly chunks: readonly Buffer[];
  readonly whole: boolean;
}

/** Reads up to the end, or until there are more than `bytesMax`; then `source` is paused. Calls back once, or never if it breaks off. */
export function readBody(source: Readable, bytesMax: number, done: (arrived: Arrived) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;

  function onData(chunk: Buffer): void {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes <= bytesMax) return;
    source.pause();
    finish(false);
  }
  function onEnd(): void {
    finish(true);
  }
  function finish(whole: boolean): void {
    // Node keeps streams of HTTP/2 until the next full collection, and with them whatever their listeners hold.
    source.removeListener("data", onData);
    source.removeListener("end", onEnd);
    done({ chunks, whole });
  }

  source.on("data", onData);
  source.on("end", onEnd);
}

/** The body from its beginning: what has arrived, and what `request` has yet to give. `resume` lets that flow on. */
export async function* replay(
  { chunks, whole }: Arrived,
  request: Readable,
  resume: () => void,
): AsyncGenerator<Uint8Array> {
  yield* chunks;
  if (whole) return;
  // It must listen before anything flows.
  request.read(0);
  resume();
  yield* request;
}
