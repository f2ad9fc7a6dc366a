import type { Server } from "node:http";
import type { Http2Server } from "node:http2";
import { createServer, type Server as NetServer } from "node:net";

/** What each client of HTTP/2 says first (RFC 9113, section 3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Looks at the first bytes of a connection and hands it to the server whose protocol they are of. */
export function createProtocolFront(http1: Server, http2: Http2Server, headersTimeoutMs: number): NetServer {
  return createServer({ noDelay: true, pauseOnConnect: false }, (socket) => {
    const silence = setTimeout(() => socket.destroy(), headersTimeoutMs);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => clearTimeout(silence));
    let seen = Buffer.alloc(0);
    socket.on("readable", function look() {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]);
      const compared = Math.min(seen.length, PREFACE.length);
      const same = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
      if (same && compared < PREFACE.length) return;
      clearTimeout(silence);
      socket.removeListener("readable", look);
      socket.unshift(seen);
      (same ? http2 : http1).emit("connection", socket);
      // Its new owner reads on from what was put back.
      if (!same) socket.resume();
    });
  });
}
