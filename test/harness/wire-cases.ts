import { create, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { VerifyRequestSchema } from "../../src/gen/clavis/v1/verify_service_pb.ts";
import type { Prng } from "./prng.ts";
import type { RawCall } from "./raw-call.ts";
import { envelope } from "./wire.ts";

/** What requests are made of. */
export interface CaseMaterial {
  /** The secrets of keys in all the states that keys have, and texts that are none. */
  readonly secrets: readonly string[];
  readonly keyspaceIds: readonly string[];
  /** That may verify, first, and others that may not. */
  readonly tokens: readonly string[];
}

type Init = MessageInitShape<typeof VerifyRequestSchema>;
type Query = NonNullable<Init["query"]>;
type Header = readonly [name: string, value: string];
type Kind = "grpc" | "proto" | "json";

/** A request to Verify or BatchVerify: mostly plain, often broken somewhere, sometimes hostile. */
export function drawCase(chance: Prng, material: CaseMaterial): RawCall {
  const transport = chance.chance(0.6) ? "h2" : "h1";
  const kind = chance.pick<Kind>(["grpc", "grpc", "proto", "proto", "json", "json"]);
  const batch = chance.chance(0.3);
  const message = kind === "json" ? drawJson(chance, material, batch) : drawBinary(chance, material, batch);
  const body = kind === "grpc" ? drawFrames(chance, message) : message;
  const method = chance.chance(0.97) ? "POST" : chance.pick(["GET", "PUT", "OPTIONS", "DELETE", "post"]);
  const headers = [
    ...(transport === "h1" ? hostHeaders(chance) : []),
    ...typeHeaders(chance, kind),
    ...credentials(chance, material),
    ...timeouts(chance, kind),
    ...extras(chance),
    ...lengths(chance, transport, body),
  ];
  return { transport, method, path: drawPath(chance, batch), headers, body: cut(chance, transport, headers, body) };
}

function drawPath(chance: Prng, batch: boolean): string {
  const path = `/clavis.v1.VerifyService/${batch ? "BatchVerify" : "Verify"}`;
  if (chance.chance(0.97)) return path;
  return chance.pick([
    `${path}?x=1`,
    `${path}/`,
    path.toLowerCase(),
    `/${path}`,
    "/clavis.v1.VerifyService/Watch",
    "*",
  ]);
}

function hostHeaders(chance: Prng): Header[] {
  const host: Header = ["Host", "clavis.test"];
  if (chance.chance(0.97)) return [host, ["Connection", "close"]];
  return chance.pick<Header[]>([
    [["Connection", "close"]],
    [
      ["Host", "a b"],
      ["Connection", "close"],
    ],
    [
      ["Host", ""],
      ["Connection", "close"],
    ],
    [
      ["Host", "127.0.0.1:99999"],
      ["Connection", "close"],
    ],
    [host, host, ["Connection", "close"]],
  ] as Header[][]);
}

const types: Record<Kind, { plain: readonly string[]; odd: readonly string[] }> = {
  grpc: {
    plain: ["application/grpc", "application/grpc+proto"],
    odd: ["application/grpc+json", "application/grpc;charset=utf-8", "Application/GRPC", "application/grpc-web+proto"],
  },
  proto: {
    plain: ["application/proto"],
    odd: [
      "application/proto; charset=utf-8",
      "application/PROTO",
      "application/x-protobuf",
      "application/connect+proto",
    ],
  },
  json: {
    plain: ["application/json"],
    odd: ["application/json; charset=utf-8", "application/json;charset=latin1", "text/json", "application/json, a/b"],
  },
};

function typeHeaders(chance: Prng, kind: Kind): Header[] {
  const te: Header[] = kind === "grpc" && chance.chance(0.9) ? [["te", "trailers"]] : [];
  const { plain, odd } = types[kind];
  const type: Header = ["content-type", chance.chance(0.95) ? chance.pick(plain) : chance.pick(odd)];
  if (chance.chance(0.985)) return [...te, type];
  return [...te, ...chance.pick<Header[]>([[], [["content-type", ""]], [type, type], [type, ["content-type", "a/b"]]])];
}

function credentials(chance: Prng, { tokens, secrets }: CaseMaterial): Header[] {
  const [token = ""] = tokens;
  if (chance.chance(0.8)) return [["authorization", `Bearer ${token}`]];
  const other = chance.pick([...tokens, ...secrets.slice(0, 3)]);
  return chance.pick<Header[]>([
    [["authorization", `Bearer ${other}`]],
    [["authorization", `Bearer ${other}`]],
    [["authorization", `Bearer ${other}`]],
    [["authorization", `bearer   ${token}  `]],
    [["authorization", `BEARER ${token}`]],
    [["authorization", token]],
    [["authorization", "Bearer"]],
    [["authorization", "Bearer "]],
    [["authorization", `Bearer ${token} more`]],
    [["authorization", "Basic YTpi"]],
    [["authorization", `Bearer ${"x".repeat(5000)}`]],
    [["authorization", `Bearer ${token.slice(0, -1)}`]],
    [["authorization", "Bearer caf\u00e9"]],
    [
      ["authorization", `Bearer ${token}`],
      ["authorization", `Bearer ${other}`],
    ],
    [
      ["authorization", `Bearer ${other}`],
      ["Authorization", `Bearer ${token}`],
    ],
    [],
  ] as Header[][]);
}

function timeouts(chance: Prng, kind: Kind): Header[] {
  if (chance.chance(0.6)) return [];
  const name = (kind === "grpc") === chance.chance(0.95) ? "grpc-timeout" : "connect-timeout-ms";
  const sound = name === "grpc-timeout" ? ["20S", "2M", "100000000u", "30000m"] : ["20000", "130000", "0000060000"];
  const odd = [
    "0",
    "0S",
    "0n",
    "1H",
    "99999999H",
    "130001",
    "999999999S",
    "-1",
    "1.5",
    "",
    "x",
    "5 S",
    "20s",
    "9".repeat(30),
  ];
  const header: Header = [name, chance.chance(0.6) ? chance.pick(sound) : chance.pick(odd)];
  return chance.chance(0.97) ? [header] : [header, header];
}

function extras(chance: Prng): Header[] {
  const odd: readonly (readonly Header[])[] = [
    [["grpc-encoding", "identity"]],
    [["grpc-encoding", "gzip"]],
    [["content-encoding", "identity"]],
    [["content-encoding", "gzip"]],
    [["content-encoding", "br, gzip"]],
    [["accept-encoding", "gzip, br"]],
    [["grpc-accept-encoding", "identity,deflate,gzip"]],
    [["connect-protocol-version", "1"]],
    [["connect-protocol-version", "2"]],
    [["connect-protocol-version", ""]],
    [["connect-accept-encoding", "gzip"]],
    [["origin", "https://console.example"]],
    [["origin", "https://evil.example"]],
    [["user-agent", "a".repeat(400)]],
    [["x-forwarded-for", "198.51.100.7"]],
    [["x-forwarded-for", "junk, 203.0.113.9, 127.0.0.1"]],
    [
      ["x-forwarded-for", "2001:db8::1"],
      ["x-forwarded-for", "198.51.100.7"],
    ],
    [["clavis-call-id", "mine"]],
    [["grpc-status", "0"]],
    [["grpc-status-details-bin", "AAA"]],
    [["x-bin-bin", "!!!"]],
    [["trailer", "x-after"]],
    [["x-bytes", "\u00ff\u0080"]],
    [
      ["cookie", "a=b"],
      ["cookie", "c=d"],
    ],
    [["x-http-method-override", "GET"]],
  ];
  return chance.chance(0.75) ? [] : [...chance.pick(odd), ...(chance.chance(0.3) ? chance.pick(odd) : [])];
}

function lengths(chance: Prng, transport: RawCall["transport"], body: Buffer): Header[] {
  const right: Header = ["content-length", String(body.length)];
  if (transport === "h2") {
    if (chance.chance(0.96)) return chance.chance(0.5) ? [right] : [];
    return [["content-length", chance.pick(["0", "5", "99999999", "x", "-1", String(body.length + 1)])]];
  }
  if (chance.chance(0.75)) return [right];
  if (chance.chance(0.85)) return [["transfer-encoding", "chunked"]];
  return chance.pick<Header[]>([
    [["content-length", "0"]],
    [["content-length", "x"]],
    [right, ["transfer-encoding", "chunked"]],
    [right, right],
    [right, ["content-length", "1"]],
    [["content-length", `+${body.length}`]],
    [["content-length", "99999999"]],
    [],
  ] as Header[][]);
}

/** In pieces now and then, and in chunks where that is what was promised. */
function cut(
  chance: Prng,
  transport: RawCall["transport"],
  headers: readonly Header[],
  body: Buffer,
): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const size = chance.chance(0.8) ? body.length - at : 1 + chance.below(Math.min(body.length - at, 40));
    pieces.push(body.subarray(at, at + size));
    at += size;
  }
  if (transport === "h2" || !headers.some(([name]) => name === "transfer-encoding")) return pieces;
  const chunks = pieces.map((piece) =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
  );
  const last = chance.pick(["0\r\n\r\n", "0\r\n\r\n", "0\r\nx-after: 1\r\n\r\n"]);
  return [...chunks, Buffer.from(last)];
}

/** What stands before the message in gRPC, and may be wrong there. */
function drawFrames(chance: Prng, message: Buffer): Buffer {
  if (chance.chance(0.85)) return envelope(message);
  const wrongLength = envelope(message);
  wrongLength.writeUInt32BE(
    chance.pick([0, 1, message.length + 1, Math.max(0, message.length - 1), 40_000, 2 ** 32 - 1]),
    1,
  );
  return chance.pick([
    wrongLength,
    wrongLength,
    envelope(message, 1),
    envelope(message, 2),
    envelope(message, 128),
    envelope(message, 255),
    Buffer.concat([envelope(message), envelope(message)]),
    Buffer.concat([envelope(message), Buffer.of(0, 0)]),
    Buffer.concat([envelope(message), Buffer.of(0, 255, 0, 0, 0)]),
    Buffer.concat([envelope(Buffer.alloc(0)), envelope(message)]),
    Buffer.alloc(0),
    envelope(message).subarray(0, 3),
    envelope(message).subarray(0, -1),
    chance.bytes(chance.below(40)),
  ]);
}

function drawInit(chance: Prng, { secrets, keyspaceIds }: CaseMaterial): Init {
  const init: Init = {
    secret: chance.pick(secrets),
    keyspaceId: chance.chance(0.85) ? (keyspaceIds[0] ?? "") : chance.pick([...keyspaceIds, "", "ks_1", "ks_\0", "KS"]),
  };
  if (chance.chance(0.4)) init.permissions = drawPermissions(chance);
  if (chance.chance(0.2)) init.query = drawQuery(chance, chance.chance(0.1) ? 40 : 3);
  if (chance.chance(0.4)) init.clientIp = chance.pick(addresses);
  return init;
}

const addresses = [
  ...["192.0.2.7", "198.51.100.1", "2001:db8::7", "::ffff:192.0.2.7", "::", "fe80::1%eth0", "1.2.3", "01.2.3.4"],
  ...["256.1.1.1", "1.2.3.4.5", " 1.2.3.4", "192.0.2.7 ", "192.0.2.0/24", "x", "1:2:3:4:5:6:7:8", "::1::", "0.0.0.0"],
  ...["2001:DB8::7", "1:2:3:4:5:6:1.2.3.4", "1.2.3.04", "\0", "1.2.3.256", "255.255.255.255", "2001:db8:::7"],
];

const permissions = [
  "documents.read",
  "documents.write",
  "billing.read",
  "documents.*",
  "*",
  "",
  "a b",
  "é",
  "x".repeat(128),
];

function drawPermissions(chance: Prng): string[] {
  const odd = chance.chance(0.15);
  const length = odd ? chance.pick([0, 63, 64, 65, 200]) : 1 + chance.below(3);
  const from = odd ? [...permissions, "x".repeat(129), "a\0b", "😀", "a..b", "."] : permissions.slice(0, 3);
  return Array.from({ length }, () => chance.pick(from));
}

function drawQuery(chance: Prng, depth: number): Query {
  if (chance.chance(0.03)) return {};
  if (depth === 0 || chance.chance(0.4)) return { condition: { case: "permission", value: chance.pick(permissions) } };
  const queries = Array.from({ length: chance.chance(0.05) ? 0 : 1 + chance.below(3) }, (_, index) =>
    drawQuery(chance, index === 0 ? depth - 1 : Math.min(depth - 1, 2)),
  );
  return { condition: { case: chance.pick(["allOf", "anyOf"] as const), value: { queries } } };
}

function drawInits(chance: Prng, material: CaseMaterial): Init[] {
  const length = chance.chance(0.9) ? 1 + chance.below(4) : chance.pick([0, 256, 257]);
  return Array.from({ length }, () => drawInit(chance, material));
}

function drawBinary(chance: Prng, material: CaseMaterial, batch: boolean): Buffer {
  if (batch) {
    const items = chance.chance(0.8)
      ? drawInits(chance, material).map((init) => toBinary(VerifyRequestSchema, create(VerifyRequestSchema, init)))
      : Array.from({ length: chance.below(4) }, () => drawBinary(chance, material, false));
    const whole = Buffer.concat(items.map((item) => lengthDelimited(1, item)));
    return chance.chance(0.95) ? whole : mutated(chance, whole);
  }
  const plain = Buffer.from(toBinary(VerifyRequestSchema, create(VerifyRequestSchema, drawInit(chance, material))));
  if (chance.chance(0.75)) return plain;
  const again = Buffer.from(toBinary(VerifyRequestSchema, create(VerifyRequestSchema, drawInit(chance, material))));
  return chance.pick([
    () => Buffer.concat([plain, again]),
    () => Buffer.concat([plain, lengthDelimited(9, chance.bytes(5)), Buffer.of(0x50, 0x96, 0x01)]),
    () => Buffer.concat([plain, Buffer.of(0x08, 0x01)]),
    () => Buffer.concat([plain, Buffer.of(0x0b, 0x0c)]),
    () => Buffer.concat([plain, Buffer.of(0x53, 0x54)]),
    () => Buffer.concat([plain, Buffer.of(0x53)]),
    () => Buffer.concat([plain, Buffer.of(0x0d, 1, 2, 3, 4)]),
    () => Buffer.concat([plain, Buffer.of(0x15, 1, 2)]),
    () => Buffer.concat([plain, Buffer.of(0x00, 0x00)]),
    () => Buffer.concat([plain, Buffer.of(0x07)]),
    () => Buffer.concat([plain, Buffer.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)]),
    () => Buffer.concat([plain, Buffer.of(0x0a, 0x81, 0x80, 0x00, 0x41)]),
    () => Buffer.concat([plain, Buffer.of(0x8a, 0x00, 0x01, 0x41)]),
    () => Buffer.concat([plain, Buffer.from("ff".repeat(11), "hex")]),
    () => Buffer.concat([plain, lengthDelimited(1, Buffer.of(0xff, 0xfe, 0x80))]),
    () => Buffer.concat([plain, lengthDelimited(3, Buffer.of(0xed, 0xa0, 0x80))]),
    () =>
      Buffer.concat([
        lengthDelimited(4, Buffer.alloc(0)),
        plain,
        lengthDelimited(4, lengthDelimited(1, Buffer.from("a.b"))),
      ]),
    () =>
      Buffer.concat([
        plain,
        lengthDelimited(4, Buffer.concat([lengthDelimited(2, Buffer.alloc(0)), lengthDelimited(2, Buffer.alloc(0))])),
      ]),
    () => nested(chance.pick([20, 99, 100, 101, 300])),
    () => Buffer.concat([lengthDelimited(1, Buffer.from("x".repeat(chance.pick([4095, 4096, 4097, 9000])))), again]),
    () => Buffer.concat([plain, lengthDelimited(1, Buffer.from("é".repeat(chance.pick([2048, 4096, 4097]))))]),
    () => Buffer.concat([plain, lengthDelimited(9, Buffer.alloc(chance.pick([32_000, 32_768, 33_000, 70_000])))]),
    () => padded(plain, chance.pick([32_767, 32_768, 32_769])),
    () => plain.subarray(0, chance.below(plain.length + 1)),
    () => mutated(chance, plain),
    () => mutated(chance, plain),
    () => chance.bytes(chance.below(60)),
    () => Buffer.alloc(0),
  ])();
}

/** With an unknown field that brings it to `size` bytes. */
function padded(message: Buffer, size: number): Buffer {
  const room = size - message.length - 4;
  return Buffer.concat([message, lengthDelimited(15, Buffer.alloc(room))]);
}

function nested(depth: number): Buffer {
  let query = lengthDelimited(1, Buffer.from("a.b"));
  for (let level = 0; level < depth; level++) query = lengthDelimited(2, lengthDelimited(1, query));
  return lengthDelimited(4, query);
}

function mutated(chance: Prng, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let times = 0; copy.length > 0 && times < 1 + chance.below(3); times++) {
    copy[chance.below(copy.length)] = chance.below(256);
  }
  return copy;
}

function lengthDelimited(field: number, bytes: Uint8Array): Buffer {
  const head = [(field << 3) | 2];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) head.push((rest & 127) | 128);
  return Buffer.concat([Uint8Array.of(...head, rest), bytes]);
}

function drawJson(chance: Prng, material: CaseMaterial, batch: boolean): Buffer {
  if (batch) {
    const items = drawInits(chance, material).map((init) =>
      toJsonString(VerifyRequestSchema, create(VerifyRequestSchema, init)),
    );
    const text = chance.chance(0.9)
      ? `{"requests":[${items.join(",")}]}`
      : chance.pick([
          `{"requests":${items[0] ?? "null"}}`,
          `{"requests":[null]}`,
          `{"requests":[[]]}`,
          "{}",
          `[${items.join(",")}]`,
        ]);
    return Buffer.from(text);
  }
  const plain = toJsonString(VerifyRequestSchema, create(VerifyRequestSchema, drawInit(chance, material)));
  if (chance.chance(0.6)) return Buffer.from(plain);
  const fields = JSON.parse(plain) as Record<string, unknown>;
  const { secret = "", keyspaceId = "" } = fields;
  const text = chance.pick<() => string>([
    () => JSON.stringify({ secret, keyspace_id: keyspaceId, client_ip: "192.0.2.7" }),
    () => JSON.stringify({ ...fields, keyspace_id: "ks_2" }),
    () => JSON.stringify({ ...fields, secret: null, permissions: null, query: null }),
    () => JSON.stringify({ ...fields, permissions: [null] }),
    () => JSON.stringify({ ...fields, permissions: "documents.read" }),
    () => JSON.stringify({ ...fields, permissions: [1, true, {}] }),
    () => JSON.stringify({ ...fields, extra: { a: [1, { b: null }] }, "": 1 }),
    () => JSON.stringify({ ...fields, secret: chance.pick([1, true, [], {}]) }),
    () =>
      JSON.stringify({
        ...fields,
        query: chance.pick<unknown>([
          [],
          1,
          "x",
          {},
          { permission: 1 },
          { permission: null },
          { allOf: {}, anyOf: {} },
        ]),
      }),
    () => JSON.stringify({ ...fields, query: { allOf: { queries: [{ permission: "documents.read" }, null] } } }),
    () => JSON.stringify({ ...fields, query: { all_of: { queries: [{ permission: "documents.read" }] } } }),
    () => `{"secret":"a","secret":${JSON.stringify(secret)},"keyspaceId":${JSON.stringify(keyspaceId)}}`,
    () => `{"keyspaceId":"a","keyspace_id":${JSON.stringify(keyspaceId)},"secret":"b"}`,
    () => `{"__proto__":{"secret":"a"},${plain.slice(1)}`,
    () => `{"constructor":1,"toString":2,"$typeName":"x",${plain.slice(1)}`,
    () => `\ufeff${plain}`,
    () => ` \t\r\n${plain}\n`,
    () => `${plain}x`,
    () => `${plain}${plain}`,
    () => plain.slice(0, chance.below(plain.length)),
    () => plain.replaceAll('"', "'"),
    () => `${plain.slice(0, -1)},}`,
    () => `/* */${plain}`,
    () => "[".repeat(chance.pick([10, 5000])),
    () => `{"secret":"\\ud800","keyspaceId":${JSON.stringify(keyspaceId)}}`,
    () => `{"permissions":["\\ud800"],"keyspaceId":${JSON.stringify(keyspaceId)}}`,
    () => `{"query":${'{"allOf":{"queries":['.repeat(60)}{"permission":"a.b"}${"]}}".repeat(60)}}`,
    () => chance.pick(["", "null", "true", "1", '"x"', "[]", "{}", "NaN", "{", "\0", "undefined"]),
    () => JSON.stringify({ ...fields, pad: "x".repeat(chance.pick([32_000, 32_768, 40_000])) }),
    () => JSON.stringify({ ...fields, secret: "x".repeat(chance.pick([4096, 4097])) }),
    () => JSON.stringify({ ...fields, secret: "😀".repeat(chance.pick([2049, 4096, 4097])) }),
  ])();
  const bytes = Buffer.from(text);
  return chance.chance(0.95) ? bytes : mutated(chance, bytes);
}
