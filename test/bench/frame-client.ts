import { once } from "node:events";
import { connect } from "node:net";
import type { Load } from "./load.ts";

/**
 * As much of HTTP/2 (RFC 9113) as it takes to ask for the same method again and again, each time with a body of its own: after the
 * first request a head is a few bytes, and of an answer nothing is read but the beginning of its message. `node:http2` as a client
 * would cost more than the server that is to be measured.
 */
export interface FrameConnection {
  /** Asks, and resolves when the answer has ended; rejects unless its message begins as the load expects. */
  ask(body: Buffer): Promise<void>;
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES = 9;
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const ACK = 0x1;
const INITIAL_WINDOW_SIZE = 0x4;

/** What may come before it has to be asked for; asked for again when half of it is used up. */
const WINDOW_BYTES = 2 ** 30;
const WINDOW_BYTES_DEFAULT = 65_535;

interface Answer {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  message: Buffer;
}

export async function openFrames(load: Load): Promise<FrameConnection> {
  const { expected } = load;
  const { hostname, port, host, pathname } = new URL(load.url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, "connect");
  const heads = encodeHeads({
    ":method": "POST",
    ":scheme": "http",
    ":path": pathname,
    ":authority": host,
    ...load.headers,
  });
  const answers = new Map<number, Answer>();
  let lastStream = -1;
  let sendWindow = WINDOW_BYTES_DEFAULT;
  let received = 0;
  let rest: Buffer = Buffer.alloc(0);
  let corked = false;

  socket.write(PREFACE);
  socket.write(frame(TYPE.settings, 0, 0, setting(INITIAL_WINDOW_SIZE, WINDOW_BYTES)));
  socket.write(frame(TYPE.windowUpdate, 0, 0, uint32(WINDOW_BYTES)));
  socket.on("data", (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      take(rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5), rest.subarray(HEAD_BYTES, end));
      rest = rest.subarray(end);
    }
  });
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the server has closed the connection")));

  function take(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case TYPE.data:
        spend(payload.length);
        keep(stream, payload);
        break;
      case TYPE.settings:
        if ((flags & ACK) === 0) write(frame(TYPE.settings, ACK, 0, Buffer.alloc(0)));
        return;
      case TYPE.ping:
        if ((flags & ACK) === 0) write(frame(TYPE.ping, ACK, 0, payload));
        return;
      case TYPE.windowUpdate:
        if (stream === 0) sendWindow += payload.readUInt32BE();
        return;
      case TYPE.goaway:
        fail(new Error("the server says goodbye"));
        return;
      case TYPE.reset:
        settle(stream, new Error(`reset with ${payload.readUInt32BE()}`));
        return;
    }
    if ((flags & END_STREAM) !== 0) settle(stream);
  }

  function keep(stream: number, payload: Buffer): void {
    const answer = answers.get(stream);
    if (answer === undefined || answer.message.length >= 5 + expected.length) return;
    answer.message = answer.message.length === 0 ? payload : Buffer.concat([answer.message, payload]);
  }

  function settle(stream: number, error?: Error): void {
    const answer = answers.get(stream);
    if (answer === undefined) return;
    answers.delete(stream);
    // Behind the frame's five bytes. An error has no message at all.
    const begins = answer.message.subarray(5, 5 + expected.length);
    if (error !== undefined) answer.reject(error);
    else if (answer.message.length <= 5 || !begins.equals(expected))
      answer.reject(new Error("not what was to be answered"));
    else answer.resolve();
  }

  function fail(error: Error): void {
    for (const stream of [...answers.keys()]) settle(stream, error);
  }

  function spend(bytes: number): void {
    received += bytes;
    if (received < WINDOW_BYTES / 2) return;
    write(frame(TYPE.windowUpdate, 0, 0, uint32(received)));
    received = 0;
  }

  /** All that is written in one turn goes out together. */
  function write(bytes: Buffer): void {
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(() => {
        corked = false;
        socket.uncork();
      });
    }
    socket.write(bytes);
  }

  return {
    ask(body) {
      lastStream += 2;
      sendWindow -= body.length;
      if (sendWindow < 0) return Promise.reject(new Error("more under way than the server takes"));
      const stream = lastStream;
      const head = stream === 1 ? heads.first : heads.later;
      write(frame(TYPE.headers, END_HEADERS, stream, head));
      write(frame(TYPE.data, END_STREAM, stream, body));
      return new Promise((resolve, reject) => {
        answers.set(stream, { resolve, reject, message: Buffer.alloc(0) });
      });
    },
  };
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The first index of HPACK's dynamic table (RFC 7541, section 2.3.3). The latest entry has it, and each before it the next. */
const DYNAMIC = 62;

/** Heads in HPACK: the first request's puts every field into the table, and the later ones' only name their places. */
function encodeHeads(fields: Readonly<Record<string, string>>): { readonly first: Buffer; readonly later: Buffer } {
  const pairs = Object.entries(fields);
  const first = pairs.flatMap(([name, value]) => [Buffer.of(0x40), literal(name), literal(value)]);
  const later = pairs.map((_, index) => 0x80 | (DYNAMIC + pairs.length - 1 - index));
  return { first: Buffer.concat(first), later: Buffer.from(later) };
}

/** A length of seven bits with its continuation (RFC 7541, section 5.1), and the text as it is. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head: number[] = [];
  if (bytes.length < 127) head.push(bytes.length);
  else {
    head.push(127);
    let left = bytes.length - 127;
    for (; left >= 128; left = Math.floor(left / 128)) head.push((left % 128) | 128);
    head.push(left);
  }
  return Buffer.concat([Buffer.from(head), bytes]);
}
