import { connect, type Socket } from "node:net";

/** What came back: an outcome without its prefix, a failure's code, or `broken` where nothing did. */
export type VerifyResult = { readonly outcome: string } | { readonly failure: string };

/** Connections to one address, each with one Verify at a time, written by hand: when a request begins is ours to say. */
export interface VerifyLines {
  /** Sends a Verify on a connection that is free, or on a new one. False if all that there may be are taken. */
  ask(request: Buffer, answered: (result: VerifyResult) => void): boolean;
  close(): void;
}

/** Those that a frozen service does not answer stay taken, and wait for it in the kernel. */
const LINES_MAX = 24;

const END_OF_HEAD = Buffer.from("\r\n\r\n");
const broken: VerifyResult = { failure: "broken" };

/** The bytes of a Verify over HTTP/1.1. */
export function verifyRequest(token: string, keyspaceId: string, secret: string): Buffer {
  const body = JSON.stringify({ keyspaceId, secret });
  const head = [
    "POST /clavis.v1.VerifyService/Verify HTTP/1.1",
    "host: localhost",
    `authorization: Bearer ${token}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

export function openVerifyLines(url: string): VerifyLines {
  const { hostname, port } = new URL(url);
  const all = new Set<Socket>();
  const free: Line[] = [];

  function open(): Line {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    all.add(socket);
    let pending: ((result: VerifyResult) => void) | undefined;
    let received = Buffer.alloc(0);
    const line: Line = {
      send(request, answered) {
        pending = answered;
        socket.write(request);
      },
    };
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const result = readAnswer(received);
      if (result === undefined) return;
      received = Buffer.alloc(0);
      const answered = pending;
      pending = undefined;
      free.push(line);
      answered?.(result);
    });
    socket.on("close", () => {
      all.delete(socket);
      const index = free.indexOf(line);
      if (index >= 0) free.splice(index, 1);
      pending?.(broken);
    });
    return line;
  }

  return {
    ask(request, answered) {
      const line = free.pop() ?? (all.size < LINES_MAX ? open() : undefined);
      line?.send(request, answered);
      return line !== undefined;
    },
    close() {
      for (const socket of all) socket.destroy();
    },
  };
}

interface Line {
  send(request: Buffer, answered: (result: VerifyResult) => void): void;
}

/** Undefined while it is not all there. */
function readAnswer(received: Buffer): VerifyResult | undefined {
  const end = received.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const head = received.toString("latin1", 0, end);
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without its length: ${head}`);
  const body = received.subarray(end + END_OF_HEAD.length);
  if (body.length < Number(length)) return undefined;
  const text = body.toString();
  const outcome = /"outcome":"OUTCOME_(\w+)"/.exec(text)?.[1];
  return outcome === undefined ? { failure: /"code":"(\w+)"/.exec(text)?.[1] ?? "unreadable" } : { outcome };
}
