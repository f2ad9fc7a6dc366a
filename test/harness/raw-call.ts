import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";

/** A request down to its bytes. */
export interface RawCall {
  readonly transport: "h2" | "h1";
  readonly method: string;
  readonly path: string;
  /** In this order, names as often as they stand here. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As it is cut into frames or writes. */
  readonly body: readonly Buffer[];
}

/** All that came back, but for what differs by nature: the time, and the call's id. */
export interface RawAnswer {
  readonly status: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In hexadecimal digits. */
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  /** How it ended, if not well. */
  readonly end: string;
}

/** After that long an answer counts as none. */
const SILENCE_MS = 5000;

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Sends a call over a connection of its own, which none but itself can spoil. */
export async function sendRaw(url: string, call: RawCall): Promise<RawAnswer> {
  if (call.transport === "h1") return sendH1(new URL(url), call);
  // Node's types know the option for servers only.
  const session = connect(url, { strictSingleValueFields: false } as object);
  session.on("error", () => {});
  try {
    return await sendH2(session, call);
  } finally {
    session.destroy();
  }
}

async function sendH2(session: ClientHttp2Session, call: RawCall): Promise<RawAnswer> {
  const pseudo = [":method", call.method, ":path", call.path];
  const stream = session.request([...pseudo, ...call.headers.flat()], { endStream: call.body.length === 0 });
  const chunks: Buffer[] = [];
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  let end = "";
  stream.on("response", (headers) => {
    head = headers;
  });
  stream.on("trailers", (headers) => {
    trailers = headers;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", ({ message }: Error) => {
    end = message;
  });
  for (const chunk of call.body) stream.write(chunk);
  stream.end();
  if (!(await closes(stream))) end = "silence";
  const { ":status": status, ...headers } = head;
  return {
    status: String(status),
    headers: comparable(headers),
    body: comparableBody(Buffer.concat(chunks)),
    trailers: comparable(trailers),
    end,
  };
}

async function sendH1({ hostname, port }: URL, call: RawCall): Promise<RawAnswer> {
  const socket = connectTcp({ host: hostname, port: Number(port), noDelay: true });
  const chunks: Buffer[] = [];
  let end = "";
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", (error: Error & { code?: string }) => {
    end = error.code ?? "error";
  });
  const lines = [`${call.method} ${call.path} HTTP/1.1`, ...call.headers.map((pair) => pair.join(": "))];
  socket.write(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  for (const chunk of call.body) socket.write(chunk);
  if (!(await closes(socket))) end = "silence";
  socket.destroy();

  const text = Buffer.concat(chunks).toString("latin1");
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [status = "", ...fields] = head.split("\r\n");
  const headers = Object.fromEntries(
    fields.map((line) => [line.split(":", 1)[0]?.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  return {
    status,
    headers: comparable(headers),
    body: comparableBody(Buffer.from(rest.join("\r\n\r\n"), "latin1")),
    trailers: {},
    end,
  };
}

/** Whether it does while it is waited for. */
async function closes(one: Duplex): Promise<boolean> {
  let late: NodeJS.Timeout | undefined;
  const closed = new Promise<boolean>((resolve) => one.once("close", () => resolve(true)));
  const silent = new Promise<boolean>((resolve) => {
    late = setTimeout(() => resolve(false), SILENCE_MS);
  });
  return await Promise.race([closed, silent]).finally(() => clearTimeout(late));
}

/** Trailers stand in the body in gRPC-Web, and over HTTP/1.1. */
function comparableBody(body: Buffer): string {
  const text = body.toString("latin1").replace(/(?<=clavis-call-id: )[\da-f-]{36}(?=\r\n)/g, "some");
  return Buffer.from(text, "latin1").toString("hex");
}

/** Headers in the order of their names; that there is a date or a call's id counts, what they say does not. */
function comparable(headers: IncomingHttpHeaders): Record<string, string> {
  const told = Object.entries(headers).map(([name, value]) => {
    const text = [value ?? ""].flat().join(", ");
    return [name, name === "date" || (name === "clavis-call-id" && UUID.test(text)) ? "some" : text] as const;
  });
  return Object.fromEntries(told.sort(([one], [other]) => (one < other ? -1 : 1)));
}
