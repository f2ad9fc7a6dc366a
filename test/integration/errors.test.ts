import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, constants } from "node:http2";
import { join } from "node:path";
import { bodyFrom, formatSecret } from "@clavis/sdk/rules";
import type { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AuditService } from "../../sdk/gen/clavis/v1/audit_service_pb.ts";
import type { ErrorReason } from "../../sdk/gen/clavis/v1/error_reason_pb.ts";
import { KeyService } from "../../sdk/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../sdk/gen/clavis/v1/keyspace_service_pb.ts";
import { TenantService } from "../../sdk/gen/clavis/v1/tenant_service_pb.ts";
import { VerifyService } from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import { errorOf } from "../harness/error-of.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { openPostgresProxy } from "../harness/postgres-proxy.ts";
import { openTestService } from "../harness/service.ts";
import { openSql } from "../harness/sql.ts";
import { openTenantHome, setUpHome } from "../harness/tenant-home.ts";
import { until } from "../harness/until.ts";

const { time, service, home } = await setUpHome();
const keys = home.rpc(KeyService);
const keyspaces = home.rpc(KeyspaceService);
const tenants = home.rpc(TenantService, service.operatorToken);
const missing = {
  tenantId: `ten_${"0".repeat(26)}`,
  keyspaceId: `ks_${"0".repeat(26)}`,
  keyId: `key_${"0".repeat(26)}`,
};

type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

interface Case {
  readonly code: keyof typeof Code;
  /** A call that fails for this reason, and the facts that come with it. */
  provoke(): Promise<{ call: Promise<unknown>; facts: Record<string, string> }>;
  /** Of BadRequest. */
  readonly fields?: readonly string[];
  /** Whether RetryInfo says how long to wait. */
  readonly waits?: boolean;
}

/** A table, so that a reason which no call is known to fail with does not compile. */
const cases: Readonly<Record<Reason, Case>> = {
  INVALID_REQUEST: {
    code: "InvalidArgument",
    fields: ["order_by", "page_size"],
    provoke: async () => ({ call: keys.listKeys({ pageSize: -1, orderBy: "x" }), facts: {} }),
  },
  PAGE_TOKEN_INVALID: {
    code: "InvalidArgument",
    fields: ["page_token"],
    provoke: async () => ({ call: home.rpc(AuditService).listEvents({ pageToken: "invented" }), facts: {} }),
  },
  PERMISSION_NOT_GRANTABLE: {
    code: "InvalidArgument",
    fields: ["permissions"],
    async provoke() {
      const { id: keyspaceId } = await home.newKeyspace({ grantablePermissions: ["documents.*"] });
      const permissions = ["documents.read", "billing.read", "billing.write"];
      const call = keys.createKey({ keyspaceId, displayName: "x", permissions });
      return { call, facts: { permissions: "billing.read,billing.write" } };
    },
  },
  EXPIRY_OUTSIDE_POLICY: {
    code: "InvalidArgument",
    fields: ["ttl"],
    async provoke() {
      const { id: keyspaceId } = await home.newKeyspace({ maxTtl: { days: 1 } });
      const expiry = { case: "ttl", value: { seconds: 86_401n } } as const;
      const call = keys.createKey({ keyspaceId, displayName: "x", expiry });
      return { call, facts: { latest: time.date(86_400_000).toISOString() } };
    },
  },
  CREDENTIAL_REJECTED: {
    code: "Unauthenticated",
    provoke: async () => ({ call: home.rpc(KeyService, "nonsense").getKey({ keyId: missing.keyId }), facts: {} }),
  },
  PERMISSION_MISSING: {
    code: "PermissionDenied",
    async provoke() {
      const { secret } = await home.newManagementKey({ permissions: ["clavis.keys.read"] });
      const call = home.rpc(KeyService, secret).revokeKey({ keyId: missing.keyId });
      return { call, facts: { permission: "clavis.keys.revoke" } };
    },
  },
  GRANT_EXCEEDS_CALLER: {
    code: "PermissionDenied",
    async provoke() {
      const { secret } = await home.newManagementKey({ permissions: ["clavis.management_keys.create"] });
      const request = { keyspaceId: home.managementKeyspaceId, displayName: "x", permissions: ["clavis.verify"] };
      return { call: home.rpc(KeyService, secret).createKey(request), facts: { excess: "clavis.verify" } };
    },
  },
  TENANT_NOT_FOUND: {
    code: "NotFound",
    provoke: async () => ({ call: tenants.getTenant(missing), facts: { tenant_id: missing.tenantId } }),
  },
  KEYSPACE_NOT_FOUND: {
    code: "NotFound",
    provoke: async () => ({ call: keyspaces.getKeyspace(missing), facts: { keyspace_id: missing.keyspaceId } }),
  },
  KEY_NOT_FOUND: {
    code: "NotFound",
    provoke: async () => ({ call: keys.getKey(missing), facts: { key_id: missing.keyId } }),
  },
  REQUEST_ID_REUSED: {
    code: "AlreadyExists",
    async provoke() {
      const request = { displayName: "x", prefix: "ab", requestId: randomUUID() };
      await keyspaces.createKeyspace(request);
      return { call: keyspaces.createKeyspace({ ...request, prefix: "cd" }), facts: {} };
    },
  },
  DIGEST_ALREADY_EXISTS: {
    code: "AlreadyExists",
    fields: ["keys[1].digest"],
    async provoke() {
      const { id: keyspaceId } = await home.newKeyspace();
      const key = { digest: "ab".repeat(32), spec: { displayName: "x" } };
      return { call: keys.importKeys({ keyspaceId, keys: [key, key] }), facts: {} };
    },
  },
  ETAG_MISMATCH: {
    code: "Aborted",
    async provoke() {
      const { id: keyspaceId } = await home.newKeyspace();
      return { call: keyspaces.deleteKeyspace({ keyspaceId, etag: '"other"' }), facts: {} };
    },
  },
  KEY_STATE_CONFLICT: {
    code: "FailedPrecondition",
    async provoke() {
      const { key } = await home.newKey((await home.newKeyspace()).id);
      await home.clavis.keys.revoke(key.id);
      return { call: keys.rotateKey({ keyId: key.id }), facts: { key_id: key.id, state: "revoked" } };
    },
  },
  KEYSPACE_NOT_EMPTY: {
    code: "FailedPrecondition",
    async provoke() {
      const { id: keyspaceId } = await home.newKeyspace();
      await home.newKey(keyspaceId);
      return { call: keyspaces.deleteKeyspace({ keyspaceId }), facts: { keyspace_id: keyspaceId, live_keys: "1" } };
    },
  },
  KEYSPACE_RESERVED: {
    code: "FailedPrecondition",
    async provoke() {
      const { managementKeyspaceId: keyspaceId } = home;
      const call = keyspaces.updateKeyspace({ keyspaceId, keyspace: { prefix: "ab" } });
      return { call, facts: { keyspace_id: keyspaceId } };
    },
  },
  LAST_MANAGEMENT_KEY: {
    code: "FailedPrecondition",
    async provoke() {
      const tenant = await openTenantHome(service);
      const { managementKeyId: keyId } = tenant;
      const call = tenant.rpc(KeyService).revokeKey({ keyId });
      return { call: closing(call, tenant), facts: { key_id: keyId } };
    },
  },
  STORE_UNAVAILABLE: {
    code: "Unavailable",
    waits: true,
    async provoke() {
      const stack = new AsyncDisposableStack();
      const database = stack.use(await openTestDatabase());
      const proxy = stack.use(await openPostgresProxy(database.url));
      const cut = stack.use(await openTestService({ env: { CLAVIS_DATABASE_URL: proxy.url } }));
      const tenant = stack.use(await openTenantHome(cut));
      proxy.cut();
      const call = tenant.rpc(KeyService).getKey({ keyId: missing.keyId });
      return { call: closing(call, stack), facts: {} };
    },
  },
  ANSWER_LOST: {
    code: "FailedPrecondition",
    async provoke() {
      const request = { displayName: "x", prefix: "ab", requestId: randomUUID() };
      await keyspaces.createKeyspace(request);
      {
        await using sql = await openSql(service.database.adminUrl);
        await sql.query("update clavis.replays set sealed_answer = null");
      }
      return { call: keyspaces.createKeyspace(request), facts: {} };
    },
  },
  TOO_MANY_UNKNOWN_SECRETS: {
    code: "ResourceExhausted",
    waits: true,
    async provoke() {
      const verifier = home.rpc(VerifyService);
      const { id: keyspaceId } = await home.newKeyspace();
      const forged = () => ({ keyspaceId, secret: formatSecret("forged", bodyFrom(randomBytes)) });
      const flood = () => verifier.batchVerify({ requests: Array.from({ length: 64 }, forged) });
      let isOver = false;
      const floods = Array.from({ length: 16 }, async () => {
        while (!isOver) await flood();
      });
      async function askUntilRefused(): Promise<void> {
        try {
          for (;;) await verifier.verify(forged());
        } finally {
          isOver = true;
          await Promise.all(floods);
        }
      }
      return { call: askUntilRefused(), facts: {} };
    },
  },
};

describe("a reason", () => {
  it.each(Object.entries(cases))("comes over the wire as promised: %s", async (reason, expected) => {
    const { call, facts } = await expected.provoke();
    const error = await errorOf(call);
    expect(error).toMatchObject({ reason, code: expected.code, domain: "clavis.dev", facts });
    expect(error.facts).toEqual(facts);
    for (const name of Object.keys(facts)) expect(comments.get(reason)).toContain(`\`${name}\``);
    expect(error.violations.map(({ field }) => field)).toEqual(expected.fields ?? []);
    expect(error.violations.filter(({ description }) => description === "")).toEqual([]);
    expect(error.detailTypes).toEqual([
      "google.rpc.ErrorInfo",
      ...(expected.fields === undefined ? [] : ["google.rpc.BadRequest"]),
      ...(expected.waits === undefined ? [] : ["google.rpc.RetryInfo"]),
    ]);
    if (expected.waits) expect(error.retrySeconds).toBeGreaterThan(0);
    expect(error.callId).toMatch(/^[0-9a-f-]{36}$/);
    expect(error.message).not.toBe("");
  });

  it.each(Object.entries(cases))("is told of by the contract: %s", (reason, { code, fields, waits }) => {
    const comment = comments.get(reason) ?? "";
    expect(comment.split(".")[0]).toBe(code.replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
    expect(comment).toContain("Example: ");
    if (waits) expect(comment).toContain("`google.rpc.RetryInfo`");
    if (reason === "INVALID_REQUEST" || reason === "DIGEST_ALREADY_EXISTS") {
      expect(comment).toContain("`google.rpc.BadRequest`");
      expect(fields).toBeDefined();
    }
  });
});

describe("one text for all causes", () => {
  it("is what a bad credential gets, down to the last byte but the call's id", async () => {
    const { key, secret } = await home.newManagementKey();
    await home.clavis.keys.revoke(key.id);
    const customer = await home.newKey((await home.newKeyspace()).id);
    const tokens = ["nonsense", secret, customer.secret, `${secret.slice(0, -1)}x`, `clavis_mgmt_${"a".repeat(49)}`];
    const errors = [];
    for (const token of tokens) {
      const { callId, ...error } = await errorOf(home.rpc(KeyService, token).getKey({ keyId: missing.keyId }));
      expect(callId).not.toBe("");
      errors.push(error);
    }
    expect(new Set(errors.map((error) => JSON.stringify(error))).size).toBe(1);
  });
});

describe("a stream that breaks off", () => {
  const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL, NGHTTP2_PROTOCOL_ERROR } = constants;

  it.each([
    ["the caller leaves", NGHTTP2_CANCEL, "canceled"],
    ["the caller leaves without a word", NGHTTP2_NO_ERROR, "canceled"],
    ["the caller has an error of its own", NGHTTP2_INTERNAL_ERROR, "canceled"],
    ["the caller thinks that we have one", NGHTTP2_PROTOCOL_ERROR, "canceled"],
    ["its deadline passes", undefined, "deadline_exceeded"],
  ])("is no internal error where %s", async (_, resetCode, code) => {
    const logging = await openTestService({ logLevel: "debug" });
    const session = connect(logging.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Watch",
      "content-type": "application/grpc",
      te: "trailers",
      ...(resetCode === undefined && { "grpc-timeout": "50m" }),
    });
    stream.on("error", () => {});
    stream.end(Buffer.alloc(5));
    if (resetCode !== undefined) {
      await once(stream, "data");
      stream.close(resetCode);
    }
    stream.resume();
    if (!stream.closed) await once(stream, "close");
    session.destroy();
    await until("its end is logged", () => logging.logged.some((line) => line.includes("grpc.health.v1.Health/Watch")));
    await logging[Symbol.asyncDispose]();

    const lines = logging.logged.map((line): { level: string; method?: string; code?: string } => JSON.parse(line));
    const watches = lines.filter(({ method }) => method === "grpc.health.v1.Health/Watch");
    expect(watches).toMatchObject([{ level: "debug", code }]);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

/** The call, and then the end of what it was made with. */
async function closing(call: Promise<unknown>, used: AsyncDisposable): Promise<unknown> {
  await using _ = used;
  return await call;
}

/** What `error_reason.proto` says of each reason, in one line. */
const comments = readComments();

function readComments(): Map<string, string> {
  const path = join(import.meta.dirname, "../../proto/clavis/v1/error_reason.proto");
  const text = readFileSync(path, "utf8");
  const found = text.matchAll(/(?<comment>(?: *\/\/[^\n]*\n)+) *ERROR_REASON_(?<name>\w+) = \d+;/g);
  return new Map(
    Array.from(found, ({ groups }) => [
      groups?.name ?? "",
      (groups?.comment ?? "").replaceAll(/\s*\/\/ ?/g, " ").trim(),
    ]),
  );
}
