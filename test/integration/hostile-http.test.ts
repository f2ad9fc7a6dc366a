import { randomBytes } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import {
  create,
  type DescField,
  type DescMessage,
  type DescMethodUnary,
  type Message,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { createClavis } from "@clavis/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuditService } from "../../src/gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../../src/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../src/gen/clavis/v1/keyspace_service_pb.ts";
import { Outcome, VerifyService } from "../../src/gen/clavis/v1/verify_service_pb.ts";
import { openListener } from "../../src/http/listener.ts";
import { methods, nameOf } from "../harness/contract.ts";
import { createPrng, type Prng } from "../harness/prng.ts";
import { openTestService, type TestService, type TestTenant } from "../harness/service.ts";
import { textPlaces } from "../harness/text-places.ts";
import { envelope, openWire, PROTOCOLS, type Protocol, pathOf, type Wire, type WireAnswer } from "../harness/wire.ts";

/** Bodies that the fuzzer sends: a quick look each time, and a long one where the environment says FULL=1. */
const FUZZ_BODIES = process.env.FULL === "1" ? 20_000 : 3_000;
const FUZZ_SEED = Number(process.env.FUZZ_SEED ?? 1);
const KIB = 1024;
const MIB = 1024 * KIB;

const stack = new AsyncDisposableStack();
let service: TestService;
let tenant: TestTenant;
let wire: Wire;
let keyspaceId: string;
let keyId: string;
let secret: string;

beforeAll(async () => {
  service = stack.use(await openTestService({ logLevel: "error" }));
  tenant = await service.newTenant();
  wire = stack.use(await openWire(service.url));
  const clavis = stack.use(createClavis({ baseUrl: service.url, token: tenant.token }));
  keyspaceId = (await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" })).keyspace?.id ?? "";
  const made = await clavis.keys.create({ keyspaceId, displayName: "CI" });
  keyId = made.key?.id ?? "";
  secret = made.secret;
});

afterAll(async () => {
  await stack.disposeAsync();
});

/** Whatever came before, somebody else is served. */
async function expectService(): Promise<void> {
  await using other = await openWire(service.url);
  const { answer } = await other.call(VerifyService.method.verify, { secret, keyspaceId }, tenant.token);
  expect(answer?.outcome).toBe(Outcome.VALID);
}

const binaryProtocols = PROTOCOLS.filter((protocol) => protocol !== "connect+json");

function tokenFor(method: DescMethodUnary): string {
  return method.parent.name === "SelfService" ? secret : tokenOf(method, tenant.token);
}

function tokenOf(method: DescMethodUnary, management: string): string {
  return method.parent.name === "TenantService" ? service.operatorToken : management;
}

async function sendAll(method: DescMethodUnary, bytes: Uint8Array): Promise<WireAnswer[]> {
  return Promise.all(
    binaryProtocols.map((protocol) =>
      wire.send({ path: pathOf(method), body: bytes, protocol, token: tokenFor(method) }),
    ),
  );
}

describe("a value out of range", () => {
  const { createKey, updateKey, listKeys, revokeKey, rotateKey, importKeys, batchCreateKeys, batchRevokeKeys } =
    KeyService.method;
  const { createKeyspace, updateKeyspace } = KeyspaceService.method;
  const far = 253_402_300_800n;
  const int64Max = 2n ** 63n - 1n;
  const requestId = "0b5d6a3e-6c3f-4e3a-9d3c-2f6a1f3b7c11";
  const digest = "ab".repeat(32);
  // Made when they run: the keyspace is not there before.
  type Case = readonly [name: string, method: DescMethodUnary, init: () => object, field: string];
  const spec = { displayName: "x" };
  const newKey = (more: object) => () => ({ keyspaceId, displayName: "x", ...more });
  const changedKey =
    (key: object, more: object = {}) =>
    () => ({ keyId, key, ...more });

  const cases: readonly Case[] = [
    [
      "the year 10000",
      createKey,
      newKey({ expiry: { case: "expireTime", value: { seconds: far, nanos: 0 } } }),
      "expire_time",
    ],
    [
      "the year 10000, to be done once",
      createKey,
      newKey({ requestId, expiry: { case: "expireTime", value: { seconds: far, nanos: 0 } } }),
      "expire_time",
    ],
    [
      "negative nanoseconds",
      createKey,
      newKey({ expiry: { case: "expireTime", value: { seconds: 4_000_000_000n, nanos: -1 } } }),
      "expire_time",
    ],
    [
      "too many nanoseconds",
      createKey,
      newKey({ notBeforeTime: { seconds: 4_000_000_000n, nanos: 2_000_000_000 } }),
      "not_before_time",
    ],
    ["the end of int64", createKey, newKey({ notBeforeTime: { seconds: int64Max, nanos: 0 } }), "not_before_time"],
    [
      "the beginning of int64",
      createKey,
      newKey({ notBeforeTime: { seconds: -int64Max, nanos: 0 } }),
      "not_before_time",
    ],
    ["before 1970", createKey, newKey({ notBeforeTime: { seconds: -1n, nanos: 0 } }), "not_before_time"],
    ["a negative lifetime", createKey, newKey({ expiry: { case: "ttl", value: { seconds: -5n, nanos: 0 } } }), "ttl"],
    [
      "a lifetime of int64",
      createKey,
      newKey({ requestId, expiry: { case: "ttl", value: { seconds: int64Max, nanos: 0 } } }),
      "ttl",
    ],
    [
      "a span of two signs",
      createKey,
      newKey({ requestId, expiry: { case: "ttl", value: { seconds: 5n, nanos: -1 } } }),
      "ttl",
    ],
    ["a negative overlap", rotateKey, () => ({ keyId, overlap: { seconds: -1n, nanos: 0 } }), "overlap"],
    ["an endless overlap", rotateKey, () => ({ keyId, overlap: { seconds: 2_592_001n, nanos: 0 } }), "overlap"],
    ["an endless wait", revokeKey, () => ({ keyId, maxWait: { seconds: 121n, nanos: 0 } }), "max_wait"],
    [
      "a default lifetime of int64",
      createKeyspace,
      () => ({ displayName: "x", prefix: "xy", defaultTtl: { seconds: int64Max, nanos: 0 } }),
      "default_ttl",
    ],
    [
      "no number in metadata",
      createKey,
      newKey({ requestId, metadata: { a: { b: [Number.NaN] } } }),
      "metadata.a.b[0]",
    ],
    ["infinity in metadata", createKey, newKey({ metadata: { a: Number.POSITIVE_INFINITY } }), "metadata.a"],
    ["metadata of more than 4 KiB", createKey, newKey({ metadata: { a: "x".repeat(4 * KIB - 7) } }), "metadata"],
    ["metadata nested 5 deep", createKey, newKey({ metadata: { a: { b: { c: { d: {} } } } } }), "metadata"],
    [
      "an unused time out of range",
      updateKey,
      changedKey({ displayName: "x", createTime: { seconds: far, nanos: 0 } }, { requestId }),
      "key.create_time",
    ],
    [
      "an unknown path",
      updateKey,
      changedKey({ displayName: "x" }, { updateMask: { paths: ["display_name", "id"] } }),
      "update_mask.paths[1]",
    ],
    [
      "a path that JSON cannot write",
      updateKey,
      changedKey({ displayName: "x" }, { requestId, updateMask: { paths: ["displayName__x"] } }),
      "update_mask.paths[0]",
    ],
    [
      "the prefix of Clavis",
      updateKeyspace,
      () => ({ keyspaceId, keyspace: { prefix: "clavis_x" } }),
      "keyspace.prefix",
    ],
    ["an unknown reason", revokeKey, () => ({ keyId, reason: 99 }), "reason"],
    ["an unknown state", listKeys, () => ({ filter: { states: [99] } }), "filter.states[0]"],
    [
      "a filter by a time out of range",
      listKeys,
      () => ({ filter: { expireAfterTime: { seconds: far, nanos: 0 } } }),
      "filter.expire_after_time",
    ],
    ["a negative page size", listKeys, () => ({ pageSize: -1 }), "page_size"],
    ["the most negative page size", AuditService.method.listEvents, () => ({ pageSize: -(2 ** 31) }), "page_size"],
    ["an unknown order", listKeys, () => ({ orderBy: "digest" }), "order_by"],
    ["1,001 keys", batchCreateKeys, () => ({ keyspaceId, keys: Array.from({ length: 1001 }, () => spec) }), "keys"],
    [
      "1,001 digests",
      importKeys,
      () => ({ keyspaceId, keys: Array.from({ length: 1001 }, () => ({ digest, spec })) }),
      "keys",
    ],
    ["no keys", batchCreateKeys, () => ({ keyspaceId, keys: [] }), "keys"],
    [
      "a digest that is too short",
      importKeys,
      () => ({ keyspaceId, keys: [{ digest: "abcd", spec }] }),
      "keys[0].digest",
    ],
    [
      "a digest in other digits",
      importKeys,
      () => ({ keyspaceId, keys: [{ digest: "gg".repeat(32), spec }] }),
      "keys[0].digest",
    ],
    ["an import without a spec", importKeys, () => ({ keyspaceId, keys: [{ digest }] }), "keys[0].spec"],
    ["a keyspace's id for a key", KeyService.method.getKey, () => ({ keyId: keyspaceId }), "key_id"],
    ["an id beyond 128 bits", KeyService.method.getKey, () => ({ keyId: `key_8${"0".repeat(25)}` }), "key_id"],
    ["no UUID", createKey, newKey({ requestId: "x" }), "request_id"],
    ["an address that is none", createKey, newKey({ allowedAddresses: ["10.0.0.1/8"] }), "allowed_addresses[0]"],
    ["a permission that is none", createKey, newKey({ permissions: ["ok", "not ok"] }), "permissions[1]"],
    [
      "keyspaces for a customer's key",
      createKey,
      () => ({ keyspaceId, displayName: "x", allowedKeyspaceIds: [keyspaceId] }),
      "allowed_keyspace_ids",
    ],
    ["a filter that is missing", batchRevokeKeys, () => ({ keyspaceId }), "filter"],
    [
      "a client's address that is none",
      VerifyService.method.verify,
      () => ({ secret, keyspaceId, clientIp: "localhost" }),
      "client_ip",
    ],
    [
      "65 permissions",
      VerifyService.method.verify,
      () => ({ secret, keyspaceId, permissions: Array.from({ length: 65 }, (_, n) => `p.${n}`) }),
      "permissions",
    ],
    [
      "a wildcard asked for",
      VerifyService.method.verify,
      () => ({ secret, keyspaceId, permissions: ["a.*"] }),
      "permissions[0]",
    ],
    [
      "a query 9 deep",
      VerifyService.method.verify,
      () => ({ secret, keyspaceId, query: nestedQuery(9) }),
      `query${".allOf.queries[0]".repeat(0)}`,
    ],
  ];

  it.each(cases)("is refused by name, in each protocol: %s", async (_name, method, init, field) => {
    const answers = await sendAll(method, toBinary(method.input, create(method.input, init() as never)));
    expect(answers).toHaveLength(binaryProtocols.length);
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST" });
      expect(
        answer.fields.some((name) => name.startsWith(field)),
        answer.fields.join(),
      ).toBe(true);
    }
  });

  it("is made smaller where the contract says so", async () => {
    const { code } = await wire.call(listKeys, { pageSize: 2 ** 31 - 1 }, tenant.token);
    expect(code).toBe("ok");
  });

  it("takes digests in hexadecimal digits and in either base64, and knows them again", async () => {
    const bytes = Array.from({ length: 5 }, () => randomBytes(32));
    const forms = [
      bytes[0]?.toString("hex"),
      bytes[1]?.toString("hex").toUpperCase(),
      bytes[2]?.toString("base64"),
      bytes[3]?.toString("base64url"),
      bytes[4]?.toString("base64").replace("=", ""),
    ].map((digest) => ({ digest: digest ?? "", spec: { displayName: "x" } }));
    const first = await wire.call(importKeys, { keyspaceId, keys: forms }, tenant.token);
    expect(first.code).toBe("ok");
    const again = bytes.map((one) => ({ digest: one.toString("hex"), spec: { displayName: "x" } }));
    const second = await wire.call(importKeys, { keyspaceId, keys: again }, tenant.token);
    expect(second).toMatchObject({ code: "already_exists", reason: "DIGEST_ALREADY_EXISTS" });
    expect(second.fields).toEqual([0, 1, 2, 3, 4].map((index) => `keys[${index}].digest`));
  });

  it("names a digest that comes twice in one import, whatever it is written in", async () => {
    const bytes = randomBytes(32);
    const keys = [bytes.toString("hex"), bytes.toString("base64url")].map((digest) => ({
      digest,
      spec: { displayName: "x" },
    }));
    const answer = await wire.call(importKeys, { keyspaceId, keys }, tenant.token);
    expect(answer).toMatchObject({ code: "already_exists", fields: ["keys[1].digest"] });
  });

  it("refuses a page token that was changed, cut, or made for another query", async () => {
    await wire.call(batchCreateKeys, { keyspaceId, keys: [spec, spec, spec] }, tenant.token);
    const { answer } = await wire.call(listKeys, { keyspaceId, pageSize: 1 }, tenant.token);
    const token = answer?.nextPageToken ?? "";
    expect(token).not.toBe("");
    const bytes = Buffer.from(token, "base64url");
    const flipped = Array.from(bytes.keys(), (index) => {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      return changed.toString("base64url");
    });
    const tokens = [
      ...flipped,
      token.slice(0, -8),
      `${token}AAAA`,
      "A",
      "\u00e9",
      randomBytes(60).toString("base64url"),
      "x".repeat(2048),
    ];
    const requests = [
      ...tokens.map((pageToken) => ({ keyspaceId, pageSize: 1, pageToken })),
      { pageSize: 1, pageToken: token },
      { keyspaceId, pageSize: 1, pageToken: token, orderBy: "display_name" },
      { keyspaceId, pageSize: 1, pageToken: token, filter: { text: "x" } },
    ];
    const answers = await Promise.all(requests.map((request) => wire.call(listKeys, request, tenant.token)));
    expect(answers.length).toBeGreaterThan(bytes.length);
    for (const one of answers)
      expect(one).toMatchObject({ code: "invalid_argument", reason: "PAGE_TOKEN_INVALID", fields: ["page_token"] });
    const other = await wire.call(AuditService.method.listEvents, { pageToken: token }, tenant.token);
    expect(other.reason).toBe("PAGE_TOKEN_INVALID");
    expect((await wire.call(listKeys, { keyspaceId, pageSize: 1, pageToken: token }, tenant.token)).code).toBe("ok");
  });
});

describe("text", () => {
  const places = methods
    // The items of a batch answer one by one.
    .filter((method) => nameOf(method) !== "VerifyService/BatchVerify")
    .flatMap((method) => textPlaces(method.input).map(({ field, init }) => ({ method, field, init })));

  it("with a NUL is refused by name wherever text may stand", async () => {
    const answers = await Promise.all(
      places.map(async ({ method, field, init }) => {
        const body = toBinary(method.input, create(method.input, init("a\0b") as never));
        const answer = await wire.send({ path: pathOf(method), body, token: tokenFor(method) });
        return { name: `${nameOf(method)} ${field}`, ...answer, named: answer.fields.includes(field) };
      }),
    );
    expect(answers.length).toBeGreaterThan(100);
    const wrong = answers.filter(
      ({ code, reason, named }) => code !== "invalid_argument" || reason !== "INVALID_REQUEST" || !named,
    );
    expect(wrong).toEqual([]);
  });

  it("with half of a surrogate pair is refused by name wherever JSON may bring it", async () => {
    const answers = await Promise.all(
      places.map(async ({ method, field, init }) => {
        const body = toJsonString(method.input, create(method.input, init("aqqb") as never)).replaceAll(
          "qq",
          "\\ud800",
        );
        const answer = await wire.send({
          path: pathOf(method),
          body,
          protocol: "connect+json",
          token: tokenFor(method),
        });
        return {
          name: `${nameOf(method)} ${field}`,
          ...answer,
          named: answer.fields.some(
            (name) => name !== "" && [field, field.replace(/\[0\]$/, "")].some((at) => at.endsWith(name)),
          ),
        };
      }),
    );
    expect(answers.length).toBeGreaterThan(100);
    const wrong = answers.filter(
      ({ code, reason, named }) => code !== "invalid_argument" || reason !== "INVALID_REQUEST" || !named,
    );
    expect(wrong).toEqual([]);
  });

  it("that is no UTF-8 is refused", async () => {
    const bad = Buffer.concat([Buffer.from([0x12, 0x03]), Buffer.from([0xc3, 0x28, 0xff])]);
    const answers = await sendAll(KeyService.method.createKey, bad);
    for (const answer of answers) expect(answer).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST" });
  });

  it("that cannot be a secret is malformed, and spoils no other item of a batch", async () => {
    for (const junk of ["", "\0", "a b", "é", "x".repeat(4096)]) {
      const body = JSON.stringify({
        requests: [
          { secret: junk, keyspaceId },
          { secret, keyspaceId },
        ],
      });
      const { body: answer, message } = await wire.send({
        path: pathOf(VerifyService.method.batchVerify),
        body,
        protocol: "connect+json",
        token: tenant.token,
      });
      expect(message, JSON.stringify(junk)).toBe("");
      const { results } = JSON.parse(Buffer.from(answer).toString()) as {
        results: { response: { outcome: string } }[];
      };
      expect(results.map(({ response }) => response.outcome)).toEqual(["OUTCOME_MALFORMED", "OUTCOME_VALID"]);
    }
  });
});

describe("a bomb", () => {
  const deep = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);

  it.each([
    ["arrays", "[", "]"],
    ["objects", '{"a":', "}"],
    ["metadata", '{"metadata":{"a":', "}}"],
    ["queries", '{"query":{"allOf":{"queries":[', "]}}}"],
  ])("of JSON nested 20,000 deep is refused, also without a credential: %s", async (_name, open, close) => {
    const levels = Math.min(20_000, Math.floor((60 * KIB) / (open.length + close.length)));
    const body = open.includes("metadata")
      ? `{"metadata":${deep(10_000, '{"a":', "}").replace("{}", '{"a":1}')}}`
      : deep(levels, open, close);
    for (const [method, token] of [
      [KeyService.method.createKey, tenant.token],
      [VerifyService.method.verify, undefined],
    ] as const) {
      const answer = await wire.send({ path: pathOf(method), body, protocol: "connect+json", token });
      expect(["invalid_argument", "resource_exhausted", "unauthenticated"]).toContain(answer.code);
    }
    await expectService();
  });

  it("of nested messages is refused", async () => {
    let struct: Buffer = Buffer.from([0x0a, 0x00]);
    // Each level: Struct.fields { value: Value { struct_value: ... } }.
    for (let level = 0; level < 5000; level++) {
      const value = field(5, struct);
      struct = field(1, Buffer.concat([field(1, Buffer.from("a")), field(2, value)]));
    }
    let query: Buffer = field(1, Buffer.from("a.b"));
    for (let level = 0; level < 2000; level++) query = field(2, field(1, query));
    const bodies = [
      [KeyService.method.createKey, Buffer.concat([field(1, Buffer.from(keyspaceId)), field(8, struct)])],
      [VerifyService.method.verify, Buffer.concat([field(2, Buffer.from(keyspaceId)), field(4, query)])],
    ] as const;
    for (const [method, body] of bodies) {
      for (const answer of await sendAll(method, body))
        expect(answer).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST" });
    }
    await expectService();
  });

  it("of bytes is refused, whatever the protocol, and costs no memory", async () => {
    const before = memory();
    const large = Buffer.alloc(32 * MIB, 0x20);
    const answers: WireAnswer[] = [];
    for (const protocol of PROTOCOLS) {
      await using own = await openWire(service.url);
      answers.push(
        await own.send({ path: pathOf(VerifyService.method.verify), body: large, protocol, token: tenant.token }),
      );
    }
    expect(answers.map(({ code }) => code.replace(/^reset_.*/, "resource_exhausted"))).toEqual(
      PROTOCOLS.map(() => "resource_exhausted"),
    );
    await expectService();
    expect(memory() - before).toBeLessThan(4 * large.length);
  });

  it("that is compressed is not unpacked", async () => {
    const bomb = gzipSync(Buffer.alloc(256 * MIB));
    const before = memory();
    const path = pathOf(VerifyService.method.verify);
    const { token } = tenant;
    const answers = [
      await wire.send({
        path,
        token,
        body: bomb.subarray(0, 16 * KIB),
        protocol: "connect+proto",
        headers: { "content-encoding": "gzip" },
      }),
      await wire.send({
        path,
        token,
        body: envelope(bomb.subarray(0, 16 * KIB), 1),
        framed: true,
        protocol: "grpc",
        headers: { "grpc-encoding": "gzip" },
      }),
      await wire.send({
        path,
        token,
        body: envelope(bomb.subarray(0, 16 * KIB), 1),
        framed: true,
        protocol: "grpc-web",
        headers: { "grpc-encoding": "br" },
      }),
    ];
    expect(answers.map(({ code }) => code)).toEqual(["unimplemented", "unimplemented", "unimplemented"]);
    expect(memory() - before).toBeLessThan(64 * MIB);
    await expectService();
  });

  it("of keys or permissions in one request is refused", async () => {
    const permissions = Array.from({ length: 9000 }, (_, index) => `p.${index}`);
    const many = await wire.call(
      KeyService.method.createKey,
      { keyspaceId, displayName: "x", permissions },
      tenant.token,
    );
    expect(["invalid_argument", "resource_exhausted"]).toContain(many.code);
    const requests = Array.from({ length: 257 }, () => ({ secret, keyspaceId }));
    const batch = await wire.call(VerifyService.method.batchVerify, { requests }, tenant.token);
    expect(batch).toMatchObject({ code: "invalid_argument", fields: ["requests"] });
  });

  function memory(): number {
    const { rss } = process.memoryUsage();
    return rss;
  }
});

describe("a frame", () => {
  const path = pathOf(VerifyService.method.verify);
  const sound = () =>
    Buffer.from(
      toBinary(VerifyService.method.verify.input, create(VerifyService.method.verify.input, { secret, keyspaceId })),
    );
  const frames: readonly (readonly [name: string, body: () => Uint8Array])[] = [
    ["that is empty", () => new Uint8Array()],
    ["cut in its head", () => envelope(sound()).subarray(0, 3)],
    ["cut in its message", () => envelope(sound()).subarray(0, 20)],
    ["that promises 4 GiB", () => Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])],
    ["that promises too little", () => Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), sound()])],
    ["with a flag of nobody", () => envelope(sound(), 0x7e)],
    ["said to be compressed", () => envelope(sound(), 1)],
    ["said to be the end", () => envelope(sound(), 0x80)],
    ["after another", () => Buffer.concat([envelope(sound()), envelope(sound())])],
    ["of noise", () => randomBytes(500)],
    ["around noise", () => envelope(randomBytes(500))],
  ];

  it.each(frames)("is refused, never as our own fault: %s", async (name, body) => {
    for (const protocol of ["grpc", "grpc-web"] as const) {
      const answer = await wire.send({ path, protocol, token: tenant.token, framed: true, body: body() });
      expect(["internal", "unknown"]).not.toContain(answer.code);
      // Nobody has said what other flags mean, and so they mean nothing.
      if (!/^with a flag|^said to be the end/.test(name)) expect(answer.code).not.toBe("ok");
    }
    await expectService();
  });
});

describe("HTTP", () => {
  const path = pathOf(VerifyService.method.verify);
  const sound = () => JSON.stringify({ secret, keyspaceId });

  it.each([
    ["a Host that is none", () => `POST ${path} HTTP/1.1\r\nHost: [\r\n${rest()}`, /^HTTP\/1\.1 400/],
    ["a Host with a space", () => `POST ${path} HTTP/1.1\r\nHost: a b\r\n${rest()}`, /^HTTP\/1\.1 400/],
    ["no Host", () => `POST ${path} HTTP/1.1\r\n${rest()}`, /^HTTP\/1\.1 400/],
    ["no Host in HTTP/1.0", () => `POST ${path} HTTP/1.0\r\n${rest()}`, /^HTTP\/1\.1 400/],
    ["two slashes for a path", () => `POST // HTTP/1.1\r\nHost: a\r\n${rest()}`, /^HTTP\/1\.1 404/],
    ["an absolute path", () => `POST http://[${path} HTTP/1.1\r\nHost: a\r\n${rest()}`, /^HTTP\/1\.1 404/],
    ["a method of nobody", () => `BREW ${path} HTTP/1.1\r\nHost: a\r\n${rest()}`, /^HTTP\/1\.1 400/],
    [
      "both ways to say the length",
      () => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${rest()}`,
      /^HTTP\/1\.1 400/,
    ],
    [
      "a chunk of a size of nobody",
      () => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      /^(HTTP\/1\.1 400|$)/,
    ],
    [
      "a line feed alone in the headers",
      () => `POST ${path} HTTP/1.1\r\nHost: a\nX: y\r\n${rest()}`,
      /^HTTP\/1\.1 400/,
    ],
    [
      "20 KiB of headers",
      () => `POST ${path} HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20 * KIB)}\r\n${rest()}`,
      /^HTTP\/1\.1 431/,
    ],
    [
      "half of HTTP/2's preface, then something else",
      () => `PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
      /^HTTP\/1\.1 400/,
    ],
    ["a TLS greeting", () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /^HTTP\/1\.1 400/],
  ])("with %s is refused and harms nobody", async (_name, text, expected) => {
    expect(await exchange(text())).toMatch(expected);
    await expectService();
  });

  function rest(): string {
    return `Content-Type: application/json\r\nAuthorization: Bearer ${tenant.token}\r\nConnection: close\r\nContent-Length: ${sound().length}\r\n\r\n${sound()}`;
  }

  it("is answered when it is sound", async () => {
    expect(await exchange(`POST ${path} HTTP/1.1\r\nHost: a\r\n${rest()}`)).toMatch(/^HTTP\/1\.1 200.*OUTCOME_VALID/s);
  });

  it("survives 1 MiB of noise, and the half of a preface that never goes on", async () => {
    await exchange(randomBytes(MIB));
    const half = connectSocket(Number(new URL(service.url).port), "127.0.0.1", () => half.write("PRI * HTTP/2"));
    await new Promise((resolve) => half.once("connect", resolve));
    await expectService();
    half.destroy();
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await exchange(Buffer.concat([preface, randomBytes(64 * KIB)]));
    await expectService();
  });

  it("does not wait for ever for headers", async () => {
    await using listener = await openShortListener(150);
    const silent = connectSocket(listener.port, "127.0.0.1");
    const slow = connectSocket(listener.port, "127.0.0.1", () => slow.write("GET / HTTP/1.1\r\nHost: a\r\n"));
    const started = connectSocket(listener.port, "127.0.0.1", () => started.write("PRI * HT"));
    await Promise.all([silent, slow, started].map((socket) => closed(socket)));
  });

  it("lets go of an idle connection at once when it closes", async () => {
    await using listener = await openShortListener(60_000);
    const idle = connectSocket(listener.port, "127.0.0.1", () => idle.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    await new Promise((resolve) => idle.once("data", resolve));
    await Promise.all([listener.close(), closed(idle)]);
  });

  it("answers other methods, paths and content types as such", async () => {
    const answers = await Promise.all([
      wire.send({ path, method: "PUT", body: sound(), token: tenant.token, protocol: "connect+json" }),
      wire.send({ path: "/clavis.v1.VerifyService/Nothing", body: "", token: tenant.token }),
      wire.send({ path: "/", body: "", token: tenant.token }),
      wire.send({ path: "/__proto__", body: "", token: tenant.token }),
      wire.send({ path: `${path}/`, body: "", token: tenant.token }),
      wire.send({ path, body: sound(), token: tenant.token, headers: { "content-type": "text/html" } }),
      wire.send({
        path,
        body: sound(),
        token: tenant.token,
        headers: { "content-type": "application/json;charset=utf-7" },
      }),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([
      "http_405",
      "http_404",
      "http_404",
      "http_404",
      "http_404",
      "http_415",
      "http_415",
    ]);
  });

  it("never spends by GET", async () => {
    const asked = await fetch(`${service.url}${path}?encoding=json&message=${encodeURIComponent(sound())}`);
    expect(asked.status).toBe(405);
  });

  it("refuses more than 64 headers on HTTP/2, and reads no more of them on HTTP/1.1", async () => {
    const headers = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x-${index}`, "1"]));
    await using own = await openWire(service.url);
    const answer = await own.send({ path, body: "", headers, token: tenant.token });
    expect(answer.code).toMatch(/^(reset_|http_4)/);
    const lines = Object.keys(headers)
      .map((name) => `${name}: 1\r\n`)
      .join("");
    expect(await exchange(`POST ${path} HTTP/1.1\r\nHost: a\r\n${lines}${rest()}`)).toMatch(
      /^HTTP\/1\.1 (4|200 OK.*unauth)/s,
    );
    await expectService();
  });

  it("refuses a request without an authority on HTTP/2", async () => {
    await using own = await openWire(service.url);
    for (const authority of ["[", "a b", ""]) {
      const { httpStatus, code } = await own.send({
        path,
        body: sound(),
        headers: { ":authority": authority },
        token: tenant.token,
      });
      expect(httpStatus === 400 || code.startsWith("reset_"), `${authority} ${code}`).toBe(true);
    }
    await expectService();
  });

  it("serves others while one connection resets 5,000 streams", async () => {
    const attacker = connectHttp2(service.url);
    attacker.on("error", () => {});
    const gone = new Promise((resolve) => attacker.once("close", resolve));
    let resets = 0;
    let served = 0;
    while (resets < 5000 && !attacker.destroyed && !attacker.closed) {
      for (let burst = 0; burst < 100; burst++, resets++) {
        const stream = attacker.request({ ":method": "POST", ":path": path, "content-type": "application/proto" });
        stream.on("error", () => {});
        stream.close(8);
      }
      await expectService();
      served++;
    }
    expect(resets).toBeGreaterThanOrEqual(1000);
    expect(served).toBeGreaterThan(5);
    attacker.destroy();
    await gone;
  });

  it("keeps the port for operators up, whatever is asked there", async () => {
    for (const target of ["//", "http://[", "/metrics/..", "/__proto__", "*", "/healthz?x=%"]) {
      expect(
        await exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, service.operationsUrl),
      ).toMatch(/^HTTP\/1\.1 (404|200|400)/);
    }
    expect((await fetch(`${service.operationsUrl}/healthz`)).status).toBe(200);
  });
});

describe("noise", () => {
  let victimKeyspaceId = "";

  it(`as a body is never our fault: ${FUZZ_BODIES} bodies`, async () => {
    const prng = createPrng(FUZZ_SEED);
    const victim = await service.newTenant();
    const clavis = createClavis({ baseUrl: service.url, token: victim.token });
    victimKeyspaceId = (await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" })).keyspace?.id ?? "";
    await clavis.close();
    const seen = new Map<string, number>();
    let sent = 0;
    const worker = async () => {
      while (sent < FUZZ_BODIES) {
        sent++;
        const method = prng.pick(methods);
        const protocol = prng.pick(PROTOCOLS);
        const body = bodyFor(prng, method, protocol);
        const framed = protocol.startsWith("grpc") && prng.chance(0.3);
        const token = prng.chance(0.9) ? tokenOf(method, victim.token) : undefined;
        const answer = await wire.send({ path: pathOf(method), protocol, token, body, framed });
        seen.set(answer.code, (seen.get(answer.code) ?? 0) + 1);
        if (["internal", "unknown"].includes(answer.code) || /^(http_5|reset_)/.test(answer.code)) {
          throw new Error(
            `seed ${FUZZ_SEED}: ${nameOf(method)} over ${protocol}: ${answer.code} ${answer.message} for ${Buffer.from(body).toString("base64")}`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    expect(sent).toBeGreaterThanOrEqual(FUZZ_BODIES);
    expect([...seen.keys()].sort()).toEqual(expect.arrayContaining(["invalid_argument", "ok", "unauthenticated"]));
    expect(service.logged).toEqual([]);
    await expectService();
  }, 300_000);

  /** From pure noise to a sound request with one thing wrong. */
  function bodyFor(prng: Prng, method: DescMethodUnary, protocol: Protocol): Uint8Array {
    const message = messageFor(prng, method.input, 0);
    if (protocol === "connect+json") {
      const text = JSON.stringify(prng.chance(0.9) ? jsonFor(prng, method.input, 0) : prng.value(3)) ?? "";
      return Buffer.from(prng.chance(0.2) ? mutated(prng, Buffer.from(text)) : text);
    }
    if (prng.chance(0.2)) return prng.bytes(prng.below(200));
    const bytes = Buffer.from(toBinary(method.input, message));
    return prng.chance(0.5) ? mutated(prng, bytes) : bytes;
  }

  function mutated(prng: Prng, bytes: Buffer): Buffer {
    const changed = Buffer.from(bytes);
    for (let times = 1 + prng.below(4); times > 0 && changed.length > 0; times--)
      changed[prng.below(changed.length)] = prng.below(256);
    return prng.chance(0.2) ? changed.subarray(0, prng.below(changed.length + 1)) : changed;
  }

  /** A message with some of its fields set to anything that their types allow. */
  function messageFor(prng: Prng, schema: DescMessage, depth: number): Message {
    const init: Record<string, unknown> = {};
    for (const one of schema.fields) {
      if (!prng.chance(depth === 0 ? 0.7 : 0.4)) continue;
      const value =
        one.fieldKind === "list"
          ? Array.from({ length: prng.below(4) }, () => valueFor(prng, one, depth))
          : valueFor(prng, one, depth);
      if (value === undefined || one.fieldKind === "map") continue;
      if (one.oneof === undefined) init[one.localName] = value;
      else init[one.oneof.localName] = { case: one.localName, value };
    }
    return create(schema, init as never);
  }

  function valueFor(prng: Prng, one: DescField, depth: number): unknown {
    if (one.message !== undefined) {
      if (one.message.typeName === StructSchema.typeName) return { a: prng.value(3), [prng.text()]: prng.number() };
      return depth > 4 ? undefined : messageFor(prng, one.message, depth + 1);
    }
    if (one.enum !== undefined) return prng.pick([0, 1, 2, 5, 6, 7, 99, -1, 2 ** 31 - 1]);
    if (one.scalar === 9) return textFor(prng, one);
    if (one.scalar === 8) return prng.chance(0.5);
    if (one.scalar === 3)
      return prng.pick([
        0n,
        1n,
        -1n,
        60n,
        4_000_000_000n,
        253_402_300_799n,
        253_402_300_800n,
        2n ** 63n - 1n,
        -(2n ** 63n),
      ]);
    return prng.pick([0, 1, -1, 999_999_999, 2 ** 31 - 1, -(2 ** 31)]);
  }

  function textFor(prng: Prng, one: DescField): string {
    if (prng.chance(0.15)) return prng.text();
    const likely: Record<string, readonly string[]> = {
      keyspace_id: [victimKeyspaceId, `ks_${"0".repeat(26)}`, `ks_7${"z".repeat(25)}`],
      allowed_keyspace_ids: [victimKeyspaceId],
      tenant_id: [`ten_${"0".repeat(26)}`],
      key_id: [`key_${victimKeyspaceId.slice(3)}`, `key_${"0".repeat(26)}`],
      request_id: ["", "0b5d6a3e-6c3f-4e3a-9d3c-2f6a1f3b7c11"],
      secret: [secret, `${secret}x`, "x"],
      digest: ["ab".repeat(32), prng.bytes(32).toString("hex")],
      permission: ["a.b", "a.*"],
      permissions: ["a.b", "clavis.*", "*", "documents.read"],
      prefix: ["ab", "acme_live", "clavis"],
      allowed_addresses: ["10.0.0.0/8", "::1", "10.0.0.1/8"],
      paths: ["display_name", "*", "permissions", "metadata", "expire_time", "nothing"],
      order_by: ["", "display_name", "expire_time desc"],
      client_ip: ["127.0.0.1", "fe80::1%eth0", "::"],
      display_name: ["x", "", "x".repeat(120), "x".repeat(121)],
    };
    return prng.pick(likely[one.name] ?? ["", "x", "1", "*"]);
  }

  function jsonFor(prng: Prng, schema: DescMessage, depth: number): Record<string, unknown> {
    const json: Record<string, unknown> = {};
    for (const one of schema.fields) {
      if (!prng.chance(0.6)) continue;
      const wild = prng.chance(0.2);
      if (wild || depth > 3) json[one.jsonName] = prng.value(2);
      else if (one.message !== undefined)
        json[one.jsonName] =
          one.fieldKind === "list"
            ? [jsonFor(prng, one.message, depth + 1)]
            : prng.pick([
                jsonFor(prng, one.message, depth + 1),
                "2030-01-01T00:00:00Z",
                "10s",
                "display_name,permissions",
                null,
              ]);
      else if (one.scalar === 9)
        json[one.jsonName] = one.fieldKind === "list" ? [textFor(prng, one)] : textFor(prng, one);
      else json[one.jsonName] = prng.pick([0, 1, -1, 1e300, "1", true, "OUTCOME_VALID"]);
    }
    return json;
  }
});

/** A field of a message in protobuf's binary form: tag, length, bytes. */
function field(number: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}

function nestedQuery(levels: number): object {
  return levels === 1
    ? { condition: { case: "permission", value: "a.b" } }
    : { condition: { case: "allOf", value: { queries: [nestedQuery(levels - 1)] } } };
}

/** What comes back for bytes on a connection of their own, until the other side closes it. */
function exchange(bytes: string | Buffer, url = service.url): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectSocket(Number(new URL(url).port), "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

function closed(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  // Only what is read to its end is closed.
  socket.resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

async function openShortListener(headersTimeoutMs: number) {
  const listener = await openListener({
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    handler: (_req, res) => void res.end("ok"),
    headersTimeoutMs,
  });
  const close = () => listener.close(20_000);
  return { port: Number(new URL(listener.url).port), close, [Symbol.asyncDispose]: close };
}
