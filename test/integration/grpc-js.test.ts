import { hash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connectivityState, type ServiceError, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { type GrpcJsOptions, type LooseMessage, openGrpcJs, statusOf } from "../harness/grpc-js-client.ts";
import { setUpHome } from "../harness/tenant-home.ts";

const { time, service, home } = await setUpHome();
const address = new URL(service.url).host;
const missingKeyId = `key_${"0".repeat(26)}`;

describe("a client that @grpc/grpc-js makes of the protos at run time", () => {
  it("does the whole lifecycle", async () => {
    using operator = open("clavis.v1.TenantService", service.operatorToken);
    const created = await operator.call("CreateTenant", { display_name: "From grpc-js", request_id: randomUUID() });
    const token = created.management_secret;
    expect(created.tenant).toMatchObject({ display_name: "From grpc-js", suspended: false });

    using keyspaces = open("clavis.v1.KeyspaceService", token);
    const { keyspace } = await keyspaces.call("CreateKeyspace", {
      display_name: "Acme",
      prefix: "acme_live",
      max_ttl: { seconds: 90 * 86_400 },
      grantable_permissions: ["documents.*"],
    });
    expect((await keyspaces.call("GetKeyspace", { keyspace_id: keyspace.id })).keyspace).toEqual(keyspace);
    const listed = await keyspaces.call("ListKeyspaces", { page_size: 1 });
    expect(listed.keyspaces).toHaveLength(1);
    expect(listed.next_page_token).not.toBe("");
    const renamed = await keyspaces.call("UpdateKeyspace", {
      keyspace_id: keyspace.id,
      keyspace: { display_name: "Renamed" },
      update_mask: { paths: ["display_name"] },
      etag: keyspace.etag,
    });
    expect(renamed.keyspace).toMatchObject({ display_name: "Renamed", prefix: "acme_live" });

    using keys = open("clavis.v1.KeyService", token);
    const keyspace_id = keyspace.id;
    const request_id = randomUUID();
    const wanted = {
      keyspace_id,
      display_name: "CI",
      permissions: ["documents.read"],
      ttl: { seconds: 3600 },
      metadata: { fields: { plan: { stringValue: "pro" }, seats: { numberValue: 3 } } },
      request_id,
    };
    const { key, secret } = await keys.call("CreateKey", wanted);
    expect(key).toMatchObject({ state: "KEY_STATE_ACTIVE", permissions: ["documents.read"], imported: false });
    expect(key.metadata.fields.plan).toMatchObject({ stringValue: "pro" });
    expect(Number(key.expire_time.seconds) - Number(key.create_time.seconds)).toBe(3600);
    expect(await keys.call("CreateKey", wanted)).toEqual({ key, secret });

    using verifier = open("clavis.v1.VerifyService", token);
    const verify = (one: string, more: LooseMessage = {}) =>
      verifier.call("Verify", { secret: one, keyspace_id, ...more });
    expect(await verify(secret, { permissions: ["documents.read"] })).toMatchObject({
      outcome: "OUTCOME_VALID",
      key: { id: key.id, metadata: { fields: { seats: { numberValue: 3 } } } },
    });
    const query = { any_of: { queries: [{ permission: "billing.read" }, { permission: "documents.write" }] } };
    expect(await verify(secret, { query })).toMatchObject({
      outcome: "OUTCOME_INSUFFICIENT_PERMISSIONS",
      missing_permissions: ["billing.read"],
    });
    const batch = await verifier.call("BatchVerify", {
      requests: [
        { secret, keyspace_id },
        { secret, keyspace_id: "nonsense" },
      ],
    });
    expect(batch.results[0].response.outcome).toBe("OUTCOME_VALID");
    expect(batch.results[1].error.code).toBe(status.INVALID_ARGUMENT);

    await keys.call("DisableKey", { key_id: key.id });
    expect((await verify(secret)).outcome).toBe("OUTCOME_DISABLED");
    await keys.call("EnableKey", { key_id: key.id });
    const rotated = await keys.call("RotateKey", { key_id: key.id, overlap: { seconds: 60 } });
    expect(rotated.key.rotation.previous_masked_secret).toBe(key.masked_secret);
    expect((await verify(secret)).outcome).toBe("OUTCOME_VALID");
    time.advance(60_000);
    expect((await verify(secret)).outcome).toBe("OUTCOME_ROTATED");
    expect((await verify(rotated.secret)).outcome).toBe("OUTCOME_VALID");
    const again = await keys.call("RotateKey", { key_id: key.id, overlap: { seconds: 60 } });
    await keys.call("CompleteRotation", { key_id: key.id });
    expect((await verify(rotated.secret)).outcome).toBe("OUTCOME_ROTATED");

    const updated = await keys.call("UpdateKey", {
      key_id: key.id,
      key: { display_name: "CI 2", permissions: ["documents.*"] },
      update_mask: { paths: ["display_name", "permissions"] },
    });
    expect(updated.key).toMatchObject({ display_name: "CI 2", permissions: ["documents.*"] });

    using bearer = open("clavis.v1.SelfService", again.secret);
    expect(await bearer.call("GetSelf", {})).toMatchObject({ key: { id: key.id }, management: false });

    const many = await keys.call("BatchCreateKeys", {
      keyspace_id,
      keys: [{ display_name: "one" }, { display_name: "two" }],
    });
    const foreign = `sk-${randomUUID()}`;
    const imported = await keys.call("ImportKeys", {
      keyspace_id,
      keys: [{ digest: hash("sha256", foreign, "base64"), spec: { display_name: "three" } }],
    });
    expect((await verify(foreign)).outcome).toBe("OUTCOME_VALID");
    const page = await keys.call("ListKeys", {
      keyspace_id,
      filter: { states: ["KEY_STATE_ACTIVE"] },
      order_by: "display_name",
    });
    expect(page.keys.map(({ display_name }: LooseMessage) => display_name)).toEqual(["CI 2", "one", "three", "two"]);
    expect((await keys.call("GetKey", { key_id: imported.keys[0].id })).key.imported).toBe(true);

    await bearer.call("RevokeSelf", { reason: "REVOKE_REASON_HOLDER_REQUEST", reason_text: "done with it" });
    expect((await verify(again.secret)).outcome).toBe("OUTCOME_REVOKED");
    const revoked = await keys.call("RevokeKey", { key_id: many.keys[0].key.id, reason: "REVOKE_REASON_COMPROMISED" });
    expect(revoked.key).toMatchObject({
      state: "KEY_STATE_REVOKED",
      revocation: { reason: "REVOKE_REASON_COMPROMISED", actor_type: "management_key" },
    });
    const rest = await keys.call("BatchRevokeKeys", { keyspace_id, filter: {} });
    expect(rest.key_ids).toHaveLength(2);
    await keys.call("DeleteKey", { key_id: key.id });
    expect((await verify(again.secret)).outcome).toBe("OUTCOME_NOT_FOUND");
    await keyspaces.call("DeleteKeyspace", { keyspace_id });

    using audit = open("clavis.v1.AuditService", token);
    const { events } = await audit.call("ListEvents", { oldest_first: true, page_size: 200 });
    expect(events.map(({ sequence }: LooseMessage) => Number(sequence))).toEqual(
      Array.from({ length: events.length }, (_, index) => index + 1),
    );
    expect(events.map(({ type }: LooseMessage) => type)).toEqual([
      ...["tenant.created", "keyspace.created", "key.created", "keyspace.created", "keyspace.updated", "key.created"],
      ...["key.disabled", "key.enabled", "key.rotated", "key.rotated", "key.rotation_completed", "key.updated"],
      ...["key.created", "key.created", "key.imported", "key.revoked", "key.revoked", "key.revoked", "key.revoked"],
      ...["key.deleted", "keyspace.deleted"],
    ]);

    const { tenant } = await operator.call("GetTenant", { tenant_id: created.tenant.id });
    expect(tenant).toEqual(created.tenant);
    const back = await operator.call("CreateManagementKey", { tenant_id: tenant.id, display_name: "Way back" });
    using returned = open("clavis.v1.KeyspaceService", back.secret);
    expect((await returned.call("ListKeyspaces", {})).keyspaces).toHaveLength(1);
    await operator.call("UpdateTenant", { tenant_id: tenant.id, tenant: { suspended: true } });
    await expect(returned.call("ListKeyspaces", {})).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    expect((await operator.call("ListTenants", {})).tenants.map(({ id }: LooseMessage) => id)).toContain(tenant.id);
  });

  it("reads an error's details from grpc-status-details-bin, and the call's id from its metadata", async () => {
    using keys = open("clavis.v1.KeyService");
    const missing = await failureOf(keys.call("GetKey", { key_id: missingKeyId }));
    expect(missing).toMatchObject({ code: status.NOT_FOUND, details: "no such key" });
    expect(statusOf(missing)).toEqual({
      code: status.NOT_FOUND,
      message: "no such key",
      details: {
        "google.rpc.ErrorInfo": { reason: "KEY_NOT_FOUND", domain: "clavis.dev", metadata: { key_id: missingKeyId } },
      },
    });
    expect(missing.metadata.get("clavis-call-id")).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);

    const invalid = await failureOf(keys.call("ListKeys", { page_size: -1, order_by: "nothing" }));
    const { details } = statusOf(invalid);
    expect(details["google.rpc.ErrorInfo"]).toMatchObject({ reason: "INVALID_REQUEST" });
    expect(details["google.rpc.BadRequest"]?.field_violations.map(({ field }: LooseMessage) => field)).toEqual([
      "order_by",
      "page_size",
    ]);
  });

  it("gets each answer's call id in the headers, another for each call", async () => {
    using keys = open("clavis.v1.KeyService");
    const ids = new Set<unknown>();
    for (let call = 0; call < 3; call++) {
      await keys.call("ListKeys", {});
      ids.add(keys.lastHeaders.get("clavis-call-id")[0]);
    }
    expect([...ids]).toEqual(Array(3).fill(expect.stringMatching(/^[0-9a-f-]{36}$/)));
  });

  it("is turned away without a credential", async () => {
    using keys = openGrpcJs({ address, service: "clavis.v1.KeyService" });
    const error = await failureOf(keys.call("ListKeys", {}));
    expect(error.code).toBe(status.UNAUTHENTICATED);
    expect(statusOf(error).details["google.rpc.ErrorInfo"]?.reason).toBe("CREDENTIAL_REJECTED");
  });

  it("ends calls at their deadline, and goes on on the same connection", async () => {
    using health = openGrpcJs({ address, service: "grpc.health.v1.Health" });
    const watch = health.stream("Watch", { service: "" }, { deadline: Date.now() + 100 });
    const seen: string[] = [];
    watch.on("data", (answer: LooseMessage) => seen.push(answer.status));
    const [error] = await once(watch, "error");
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    expect(seen).toEqual(["SERVING"]);
    const late = await failureOf(health.call("Check", { service: "" }, { deadline: Date.now() - 1 }));
    expect(late.code).toBe(status.DEADLINE_EXCEEDED);
    expect(await health.call("Check", { service: "clavis.v1.KeyService" })).toEqual({ status: "SERVING" });
  });

  it("may cancel a stream, and keeps its connection alive with pings", async () => {
    await using wire = await openCountingWire(Number(new URL(service.url).port));
    const channel = {
      "grpc.keepalive_time_ms": 20,
      "grpc.keepalive_timeout_ms": 5000,
      "grpc.keepalive_permit_without_calls": 1,
    };
    using health = open("grpc.health.v1.Health", undefined, { address: wire.address, channel });
    const watch = health.stream("Watch", { service: "" });
    await once(watch, "data");
    await wire.pings(10);
    expect(health.client.getChannel().getConnectivityState(false)).toBe(connectivityState.READY);
    const ended = once(watch, "error");
    watch.cancel();
    expect((await ended)[0].code).toBe(status.CANCELLED);
    await wire.pings(20);
    expect(await health.call("Check", { service: "" })).toEqual({ status: "SERVING" });
    expect(wire.connections()).toBe(1);
  });

  it("runs many calls at once on one connection", async () => {
    using keys = open("clavis.v1.KeyService");
    const { id: keyspace_id } = await home.newKeyspace();
    const calls = Array.from({ length: 100 }, (_, index) =>
      keys.call("CreateKey", { keyspace_id, display_name: `${index}` }),
    );
    const answers = await Promise.all(calls);
    expect(new Set(answers.map(({ secret }) => secret)).size).toBe(100);
  });
});

function open(name: string, token: string = home.token, options: Partial<GrpcJsOptions> = {}) {
  return openGrpcJs({ address, service: name, token, ...options });
}

async function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => Promise.reject(new Error("the call was expected to fail")),
    (error: ServiceError) => error,
  );
}

/** A wire to `port` that counts the pings which go over it: frames of 8 bytes of type 6, no flags (RFC 9113, section 6.7). */
async function openCountingWire(port: number) {
  const PING = Buffer.from([0, 0, 8, 6, 0]);
  const sockets = new Set<Socket>();
  let connections = 0;
  let count = 0;
  let notice = Promise.withResolvers<void>();
  const server = createServer((near) => {
    connections++;
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay().on("error", () => {});
    }
    near.on("data", (chunk: Buffer) => {
      if (!chunk.includes(PING)) return;
      count++;
      notice.resolve();
      notice = Promise.withResolvers();
    });
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    async pings(wanted: number) {
      while (count < wanted) await notice.promise;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
