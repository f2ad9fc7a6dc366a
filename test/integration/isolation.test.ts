import { hash } from "node:crypto";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { type ManagementPermission, managementPermissions } from "../../src/access/permissions.ts";
import { AuditService } from "../../src/gen/clavis/v1/audit_service_pb.ts";
import { KeyService } from "../../src/gen/clavis/v1/key_service_pb.ts";
import { KeyspaceService } from "../../src/gen/clavis/v1/keyspace_service_pb.ts";
import { Outcome, VerifyService } from "../../src/gen/clavis/v1/verify_service_pb.ts";
import { type IdKind, idOf } from "../../src/ids.ts";
import { createSecrets } from "../../src/secret.ts";
import { DAY_MS } from "../../src/time.ts";
import { methods, nameOf } from "../harness/contract.ts";
import { createPrng } from "../harness/prng.ts";
import { openTenantHome, setUpHome, type TenantHome } from "../harness/tenant-home.ts";
import { openWire, PROTOCOLS, pathOf, type Wire, type WireAnswer } from "../harness/wire.ts";

const { service, home: victim, time } = await setUpHome();
const prng = createPrng(4);

let wire: Wire;
let intruder: TenantHome;

beforeAll(async () => {
  wire = await openWire(service.url);
  intruder = await openTenantHome(service);
  return async () => {
    await wire[Symbol.asyncDispose]();
    await intruder[Symbol.asyncDispose]();
  };
});

/** What a request may name. */
interface Ids {
  readonly tenantId: string;
  readonly keyspaceId: string;
  readonly keyId: string;
  readonly secret: string;
}

interface Entry {
  /** What a management key needs for it; or whom else it is for. */
  readonly needs: ManagementPermission | "operator" | "bearer";
  request(ids: Ids): object;
  /** The kind of id that it names, if it names any that must exist. */
  readonly names?: IdKind;
  /** What has to be so for it to succeed. */
  readonly on?: "revoked key" | "empty keyspace";
}

const spec = { displayName: "x" };

/** Every RPC. One that is missing here fails the first test. */
const table: Readonly<Record<string, Entry>> = {
  "KeyspaceService/CreateKeyspace": {
    needs: "clavis.keyspaces.create",
    request: () => ({ displayName: "x", prefix: "acme_live" }),
  },
  "KeyspaceService/GetKeyspace": {
    needs: "clavis.keyspaces.read",
    names: "ks",
    request: ({ keyspaceId }) => ({ keyspaceId }),
  },
  "KeyspaceService/ListKeyspaces": { needs: "clavis.keyspaces.read", request: () => ({}) },
  "KeyspaceService/UpdateKeyspace": {
    needs: "clavis.keyspaces.update",
    names: "ks",
    request: ({ keyspaceId }) => ({ keyspaceId, keyspace: { displayName: "y" } }),
  },
  "KeyspaceService/DeleteKeyspace": {
    needs: "clavis.keyspaces.delete",
    names: "ks",
    on: "empty keyspace",
    request: ({ keyspaceId }) => ({ keyspaceId }),
  },
  "KeyService/CreateKey": {
    needs: "clavis.keys.create",
    names: "ks",
    request: ({ keyspaceId }) => ({ keyspaceId, ...spec }),
  },
  "KeyService/BatchCreateKeys": {
    needs: "clavis.keys.create",
    names: "ks",
    request: ({ keyspaceId }) => ({ keyspaceId, keys: [spec] }),
  },
  "KeyService/ImportKeys": {
    needs: "clavis.keys.import",
    names: "ks",
    request: ({ keyspaceId }) => ({ keyspaceId, keys: [{ digest: prng.bytes(32).toString("hex"), spec }] }),
  },
  "KeyService/GetKey": { needs: "clavis.keys.read", names: "key", request: ({ keyId }) => ({ keyId }) },
  "KeyService/ListKeys": { needs: "clavis.keys.read", names: "ks", request: ({ keyspaceId }) => ({ keyspaceId }) },
  "KeyService/UpdateKey": {
    needs: "clavis.keys.update",
    names: "key",
    request: ({ keyId }) => ({ keyId, key: { displayName: "y" } }),
  },
  "KeyService/DisableKey": { needs: "clavis.keys.update", names: "key", request: ({ keyId }) => ({ keyId }) },
  "KeyService/EnableKey": { needs: "clavis.keys.update", names: "key", request: ({ keyId }) => ({ keyId }) },
  "KeyService/RotateKey": { needs: "clavis.keys.rotate", names: "key", request: ({ keyId }) => ({ keyId }) },
  "KeyService/CompleteRotation": { needs: "clavis.keys.rotate", names: "key", request: ({ keyId }) => ({ keyId }) },
  "KeyService/RevokeKey": { needs: "clavis.keys.revoke", names: "key", request: ({ keyId }) => ({ keyId }) },
  "KeyService/BatchRevokeKeys": {
    needs: "clavis.keys.revoke",
    names: "ks",
    request: ({ keyspaceId }) => ({ keyspaceId, filter: { text: "nobody" } }),
  },
  "KeyService/DeleteKey": {
    needs: "clavis.keys.delete",
    names: "key",
    on: "revoked key",
    request: ({ keyId }) => ({ keyId }),
  },
  "VerifyService/Verify": { needs: "clavis.verify", request: ({ keyspaceId, secret }) => ({ keyspaceId, secret }) },
  // Its items fail one by one, and so it never fails for want of a permission.
  "VerifyService/BatchVerify": {
    needs: "clavis.verify",
    request: ({ keyspaceId, secret }) => ({ requests: [{ keyspaceId, secret }] }),
  },
  "SelfService/GetSelf": { needs: "bearer", request: () => ({}) },
  "SelfService/RevokeSelf": { needs: "bearer", request: () => ({}) },
  "TenantService/CreateTenant": { needs: "operator", request: () => ({ displayName: "x" }) },
  "TenantService/GetTenant": { needs: "operator", names: "ten", request: ({ tenantId }) => ({ tenantId }) },
  "TenantService/ListTenants": { needs: "operator", request: () => ({}) },
  "TenantService/UpdateTenant": {
    needs: "operator",
    names: "ten",
    request: ({ tenantId }) => ({ tenantId, tenant: { displayName: "y" } }),
  },
  "TenantService/CreateManagementKey": {
    needs: "operator",
    names: "ten",
    request: ({ tenantId }) => ({ tenantId, displayName: "x" }),
  },
  "AuditService/ListEvents": { needs: "clavis.audit.read", request: () => ({}) },
};

const entries = methods.map((method) => [nameOf(method), method] as const);
const batchVerify = "VerifyService/BatchVerify";

function entryOf(method: DescMethodUnary): Entry {
  const entry = table[nameOf(method)];
  if (entry === undefined) throw new Error(`nobody has said what ${nameOf(method)} needs`);
  return entry;
}

it("knows what every RPC needs, and every permission that there is", () => {
  expect(Object.keys(table).sort()).toEqual(entries.map(([name]) => name).sort());
  const needed = new Set(Object.values(table).map(({ needs }) => needs));
  const unneeded = Object.keys(managementPermissions).filter((name) => !needed.has(name as ManagementPermission));
  // The reserved keyspace's own, each beside the customers' one.
  expect(unneeded.filter((name) => !name.startsWith("clavis.management_keys."))).toEqual([]);
});

/** A keyspace and a key of `home`, as the entry wants them. */
async function freshIds(home: TenantHome, { on }: Entry): Promise<Ids> {
  const { id: keyspaceId } = await home.newKeyspace();
  if (on === "empty keyspace") return { tenantId: home.tenantId, keyspaceId, keyId: "", secret: "" };
  const { key, secret } = await home.newKey(keyspaceId);
  if (on === "revoked key") await home.clavis.keys.revoke(key.id);
  return { tenantId: home.tenantId, keyspaceId, keyId: key.id, secret };
}

function randomIds(): Ids {
  const id = (kind: IdKind) => idOf(kind, prng.uuid());
  return { tenantId: id("ten"), keyspaceId: id("ks"), keyId: id("key"), secret: "acme_live_0000" };
}

/** All that was received, but for what differs between any two calls, and with `ids` out of it. */
function essence(answer: WireAnswer, ids: Ids): string {
  const named = [ids.tenantId, ids.keyspaceId, ids.keyId].filter((id) => id !== "");
  const plain = named.reduce(
    (text, id) => text.replaceAll(id, "ID").replaceAll(Buffer.from(id).toString("base64url"), "ID"),
    answer.everything,
  );
  // Details travel in base64, which the id shifts; they are compared decoded.
  const text = plain
    .replaceAll(/"(date|clavis-call-id)":"[^"]*"|clavis-call-id: ?[\w-]+/g, "")
    .replaceAll(/"value":"[\w-]+"/g, "");
  return JSON.stringify([
    text,
    answer.code,
    answer.message,
    answer.reason,
    Object.keys(answer.metadata),
    answer.fields,
  ]);
}

describe("another tenant's id", () => {
  const naming = entries.filter(([, method]) => entryOf(method).names !== undefined);

  it.each(naming)("is answered as one that was never given: %s", async (name, method) => {
    const entry = entryOf(method);
    const token = entry.needs === "operator" ? service.operatorToken : intruder.token;
    const [foreign, random] = [await freshIds(victim, entry), randomIds()];
    const one = await wire.call(method, entry.request(foreign) as never, token);
    const other = await wire.call(method, entry.request(random) as never, token);
    if (entry.needs === "operator") {
      // Whose tenants they all are.
      expect(other).toMatchObject({ code: "not_found", reason: "TENANT_NOT_FOUND" });
      return;
    }
    expect(one.code, name).toBe("not_found");
    expect(one.reason).toBe(entry.names === "ks" ? "KEYSPACE_NOT_FOUND" : "KEY_NOT_FOUND");
    expect(essence(one, foreign)).toBe(essence(other, random));
  });

  it.each(naming.filter(([, method]) => entryOf(method).needs === "operator"))(
    "is not for management keys to ask about, be it their own: %s",
    async (_name, method) => {
      const entry = entryOf(method);
      const answers = [];
      for (const ids of [await freshIds(victim, entry), await freshIds(intruder, entry), randomIds()]) {
        answers.push(essence(await wire.call(method, entry.request(ids) as never, intruder.token), ids));
      }
      expect(answers[0]).toContain("permission_denied");
      expect(new Set(answers).size).toBe(1);
    },
  );

  it("in a list of keyspaces that a key is held to is as good as any other that is not there", async () => {
    const { keyspaceId } = await freshIds(victim, entryOf(KeyService.method.getKey));
    const answers = [];
    for (const id of [keyspaceId, randomIds().keyspaceId]) {
      const request = {
        keyspaceId: intruder.managementKeyspaceId,
        ...spec,
        permissions: ["clavis.keys.read"],
        allowedKeyspaceIds: [id],
      };
      const { code, reason, answer } = await wire.call(KeyService.method.createKey, request, intruder.token);
      const listed = answer && (await wire.call(KeyService.method.listKeys, { keyspaceId: id }, answer.secret));
      answers.push([code, reason, listed?.code, listed?.reason]);
    }
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe("another tenant's things", () => {
  it("are in no list, page or search", async () => {
    const ids = await freshIds(victim, entryOf(KeyService.method.getKey));
    const own = await freshIds(intruder, entryOf(KeyService.method.getKey));
    const { answer: events } = await wire.call(AuditService.method.listEvents, { pageSize: 200 }, victim.token);
    const [event] = events?.events ?? [];
    const searches: readonly (readonly [DescMethodUnary, object])[] = [
      [KeyspaceService.method.listKeyspaces, { pageSize: 200 }],
      [KeyService.method.listKeys, { pageSize: 200 }],
      [KeyService.method.listKeys, { pageSize: 200, filter: { text: "CI" } }],
      [KeyService.method.listKeys, { keyspaceId: intruder.managementKeyspaceId, pageSize: 200 }],
      [AuditService.method.listEvents, { pageSize: 200 }],
      [AuditService.method.listEvents, { targetId: ids.keyId }],
      [AuditService.method.listEvents, { targetId: victim.tenantId }],
      [AuditService.method.listEvents, { actorId: victim.managementKeyId }],
      [AuditService.method.listEvents, { callId: event?.callId ?? "" }],
    ];
    let seen = "";
    for (const [method, request] of searches) {
      const answer = await wire.call(method, request as never, intruder.token);
      expect(answer.code).toBe("ok");
      seen += answer.everything;
    }
    // The search itself works.
    for (const id of [own.keyspaceId, own.keyId, intruder.tenantId, intruder.managementKeyId])
      expect(seen).toContain(id);
    for (const id of [ids.keyspaceId, ids.keyId, victim.tenantId, victim.managementKeyId])
      expect(seen).not.toContain(id);
  });

  it("are not reached with its page tokens", async () => {
    for (const home of [victim, intruder]) {
      const { id } = await home.newKeyspace();
      for (const _ of [1, 2, 3]) await home.newKey(id);
    }
    const lists = [
      KeyspaceService.method.listKeyspaces,
      KeyService.method.listKeys,
      AuditService.method.listEvents,
    ] as const;
    for (const method of lists) {
      const page = await wire.call(method as DescMethodUnary, { pageSize: 1 } as never, victim.token);
      const { nextPageToken } = page.answer as unknown as { nextPageToken: string };
      expect(nextPageToken, method.name).not.toBe("");
      const next = { pageSize: 1, pageToken: nextPageToken } as never;
      expect((await wire.call(method as DescMethodUnary, next, victim.token)).code).toBe("ok");
      expect(await wire.call(method as DescMethodUnary, next, intruder.token)).toMatchObject({
        reason: "PAGE_TOKEN_INVALID",
      });
    }
  });

  it("are not repeated for its request ids", async () => {
    const request = { displayName: "Same", prefix: "same_live", requestId: prng.uuid() };
    const { answer: theirs } = await wire.call(KeyspaceService.method.createKeyspace, request, victim.token);
    const { answer: ours } = await wire.call(KeyspaceService.method.createKeyspace, request, intruder.token);
    const { answer: again } = await wire.call(KeyspaceService.method.createKeyspace, request, victim.token);
    expect(again).toEqual(theirs);
    expect(ours?.keyspace?.id).toBeDefined();
    expect(ours?.keyspace?.id).not.toBe(theirs?.keyspace?.id);
    const { secret } = await victim.newManagementKey();
    const other = await wire.call(KeyspaceService.method.createKeyspace, request, secret);
    expect(other.answer?.keyspace?.id).not.toBe(theirs?.keyspace?.id);
  });
});

describe("a secret", () => {
  it("of another tenant is not found, in whichever keyspace it is looked for, alone or in a batch", async () => {
    const foreign = await freshIds(victim, entryOf(KeyService.method.getKey));
    const own = await freshIds(intruder, entryOf(KeyService.method.getKey));
    for (const keyspaceId of [
      own.keyspaceId,
      foreign.keyspaceId,
      randomIds().keyspaceId,
      intruder.managementKeyspaceId,
    ]) {
      const request = { keyspaceId, secret: foreign.secret };
      const { answer } = await wire.call(VerifyService.method.verify, request, intruder.token);
      expect(answer).toMatchObject({ outcome: Outcome.NOT_FOUND, missingPermissions: [] });
      expect(answer?.key).toBeUndefined();
      const batch = await wire.call(VerifyService.method.batchVerify, { requests: [request] }, intruder.token);
      expect(batch.answer?.results[0]?.result.value).toEqual(answer);
    }
  });

  it("of another keyspace of the tenant is of the wrong one, and tells nothing more", async () => {
    const [one, other] = [
      await freshIds(intruder, entryOf(KeyService.method.getKey)),
      await freshIds(intruder, entryOf(KeyService.method.getKey)),
    ];
    const { answer } = await wire.call(
      VerifyService.method.verify,
      { keyspaceId: one.keyspaceId, secret: other.secret },
      intruder.token,
    );
    expect(answer?.outcome).toBe(Outcome.WRONG_KEYSPACE);
    expect(answer?.key).toBeUndefined();
  });

  it("that two tenants have imported is each one's own", async () => {
    const secret = "imported by two, from the same place".replaceAll(" ", "-");
    const digest = hash("sha256", secret, "hex");
    const outcomes = [];
    for (const home of [victim, intruder]) {
      const { id: keyspaceId } = await home.newKeyspace();
      const keys = [{ digest, spec: { displayName: home.tenantId } }];
      const { answer } = await wire.call(KeyService.method.importKeys, { keyspaceId, keys }, home.token);
      outcomes.push({ home, keyspaceId, id: answer?.keys[0]?.id });
    }
    for (const { home, keyspaceId, id } of outcomes) {
      const { answer } = await wire.call(VerifyService.method.verify, { keyspaceId, secret }, home.token);
      expect(answer).toMatchObject({ outcome: Outcome.VALID, key: { id, keyspaceId, displayName: home.tenantId } });
    }
    // What one does to its key is nothing to the other's.
    await victim.clavis.keys.revoke(outcomes[0]?.id ?? "");
    const [, theirs] = outcomes;
    const { answer } = await wire.call(
      VerifyService.method.verify,
      { keyspaceId: theirs?.keyspaceId ?? "", secret },
      intruder.token,
    );
    expect(answer?.outcome).toBe(Outcome.VALID);
  });

  it("of a management key is never found", async () => {
    const { keyspaceId } = await freshIds(intruder, entryOf(KeyService.method.getKey));
    for (const token of [intruder.token, victim.token, service.operatorToken]) {
      for (const place of [keyspaceId, intruder.managementKeyspaceId]) {
        const { answer } = await wire.call(
          VerifyService.method.verify,
          { keyspaceId: place, secret: token },
          intruder.token,
        );
        expect(answer?.outcome).toBe(Outcome.NOT_FOUND);
        expect(answer?.key).toBeUndefined();
      }
    }
  });
});

describe("without a credential that holds", () => {
  /** What can be wrong with a credential, made of a key that is otherwise all right. */
  const faults: Readonly<Record<string, () => Promise<string | undefined>>> = {
    none: async () => undefined,
    "another scheme": async () => `Basic ${Buffer.from("a:b").toString("base64")}`,
    "no secret": async () => "Bearer ",
    "two secrets": async () => `Bearer ${victim.token} ${victim.token}`,
    junk: async () => "Bearer junk",
    "a typo": async () => `Bearer ${victim.token.slice(0, -1)}${victim.token.endsWith("a") ? "b" : "a"}`,
    "a secret that nobody has": async () => `Bearer ${createSecrets()("clavis_mgmt").reveal()}`,
  };
  /** Of keys, management or not. */
  const keyFaults = {
    revoked: async (issue: Issue) => {
      const { key, secret } = await issue();
      await victim.clavis.keys.revoke(key.id);
      return secret;
    },
    disabled: async (issue: Issue) => {
      const { key, secret } = await issue();
      await victim.clavis.keys.disable(key.id);
      return secret;
    },
    "not yet valid": async (issue: Issue) => (await issue({ notBeforeTime: time.date(DAY_MS) })).secret,
    "of another address": async (issue: Issue) => (await issue({ allowedAddresses: ["203.0.113.0/24"] })).secret,
    "rotated away": async (issue: Issue) => {
      const { key, secret } = await issue();
      await victim.clavis.keys.rotate(key.id);
      return secret;
    },
  };
  type Issue = (init?: object) => Promise<{ key: { id: string }; secret: string }>;

  let expired: { management: string; customer: string };
  let suspended: { management: string; customer: string };
  const wrong = { management: [] as string[], customer: [] as string[], rotatedAway: [] as string[] };

  beforeAll(async () => {
    const { id: keyspaceId } = await victim.newKeyspace();
    const issueManagement: Issue = (init) => victim.newManagementKey(init);
    const issueCustomer: Issue = (init) => victim.newKey(keyspaceId, init);
    for (const spoil of Object.values(keyFaults)) {
      wrong.management.push(await spoil(issueManagement));
      wrong.customer.push(await spoil(issueCustomer));
    }
    wrong.rotatedAway.push(await keyFaults["rotated away"](issueCustomer));
    const soon = { expireTime: time.date(1) };
    expired = { management: (await issueManagement(soon)).secret, customer: (await issueCustomer(soon)).secret };
    time.advance(1);
    const gone = await openTenantHome(service);
    const { id } = await gone.newKeyspace();
    suspended = { management: gone.token, customer: (await gone.newKey(id)).secret };
    const operator = gone.clientFor(service.operatorToken);
    await operator.tenants.update(gone.tenantId, { suspended: true });
    await gone[Symbol.asyncDispose]();
    wrong.management.push(expired.management, suspended.management, (await issueCustomer()).secret);
    wrong.customer.push(expired.customer, suspended.customer);
  });

  function wrongFor({ needs }: Entry, method: DescMethodUnary): readonly string[] {
    // It is for secrets that are worth nothing at the moment too; only one that was rotated away is none of its key's.
    if (method.name === "RevokeSelf") return wrong.rotatedAway;
    if (needs === "bearer") return wrong.customer;
    // Who verifies for a suspended tenant is to hear of it, as an outcome.
    return needs === "clavis.verify"
      ? wrong.management.filter((secret) => secret !== suspended.management)
      : wrong.management;
  }

  it.each(entries)("each cause has one and the same answer: %s", async (_name, method) => {
    const entry = entryOf(method);
    const ids = await freshIds(victim, entry);
    const headers = await Promise.all(Object.values(faults).map((fault) => fault()));
    headers.push(...wrongFor(entry, method).map((secret) => `Bearer ${secret}`));
    const body = toBinary(method.input, create(method.input, entry.request(ids) as never));
    const answers = await Promise.all(
      headers.map((authorization) =>
        wire.send({ path: pathOf(method), body, ...(authorization !== undefined && { headers: { authorization } }) }),
      ),
    );
    expect(answers.length).toBeGreaterThan(6);
    for (const answer of answers)
      expect(answer).toMatchObject({ code: "unauthenticated", reason: "CREDENTIAL_REJECTED" });
    expect(new Set(answers.map((answer) => essence(answer, ids))).size).toBe(1);
  });

  it.each(PROTOCOLS)("says so over %s", async (protocol) => {
    const path = pathOf(KeyService.method.listKeys);
    const body = protocol === "connect+json" ? "{}" : "";
    const answers = [];
    for (const token of [undefined, "junk", ...wrong.management])
      answers.push(await wire.send({ path, protocol, body, token }));
    expect(answers.length).toBeGreaterThan(5);
    expect(new Set(answers.map((answer) => essence(answer, randomIds()))).size).toBe(1);
    expect(answers[0]).toMatchObject({
      code: "unauthenticated",
      message: "no valid credential",
      reason: "CREDENTIAL_REJECTED",
    });
  });
});

describe("a management key", () => {
  const all = Object.keys(managementPermissions);
  const held = entries.filter(([, method]) => !["operator", "bearer"].includes(entryOf(method).needs));

  it.each(held)("with all permissions but one is told which: %s", async (name, method) => {
    const entry = entryOf(method);
    const { secret } = await victim.newManagementKey({
      permissions: all.filter((permission) => permission !== entry.needs),
    });
    const answer = await wire.call(method, entry.request(await freshIds(victim, entry)) as never, secret);
    if (name === batchVerify) {
      expect(answer.everything).toContain("PERMISSION_MISSING");
      return;
    }
    expect(answer).toMatchObject({
      code: "permission_denied",
      reason: "PERMISSION_MISSING",
      metadata: { permission: entry.needs },
    });
    expect(answer.message).toContain(entry.needs);
  });

  it.each(held)("with that permission alone succeeds: %s", async (_name, method) => {
    const entry = entryOf(method);
    const { secret } = await victim.newManagementKey({ permissions: [entry.needs] });
    const answer = await wire.call(method, entry.request(await freshIds(victim, entry)) as never, secret);
    expect(answer.code).toBe("ok");
    expect(answer.everything).not.toContain("PERMISSION_MISSING");
  });

  const onManagementKeys = held.filter(([name]) => name.startsWith("KeyService/") && name !== "KeyService/ImportKeys");

  it.each(onManagementKeys)("needs another permission for its own kind: %s", async (_name, method) => {
    const entry = entryOf(method);
    const needs = entry.needs.replace("clavis.keys.", "clavis.management_keys.");
    expect(all).toContain(needs);
    const { secret } = await victim.newManagementKey({ permissions: all.filter((permission) => permission !== needs) });
    const { key, secret: targeted } = await victim.newManagementKey({ permissions: ["clavis.verify"] });
    const ids = { tenantId: victim.tenantId, keyspaceId: victim.managementKeyspaceId, keyId: key.id, secret: targeted };
    const answer = await wire.call(method, entry.request(ids) as never, secret);
    expect(answer).toMatchObject({ code: "permission_denied", metadata: { permission: needs } });
  });

  it.each(entries.filter(([, method]) => entryOf(method).needs === "operator"))(
    "is no operator: %s",
    async (_name, method) => {
      const entry = entryOf(method);
      const answer = await wire.call(method, entry.request(await freshIds(victim, entry)) as never, victim.token);
      expect(answer).toMatchObject({ code: "permission_denied", metadata: { permission: "operator" } });
    },
  );

  it.each(held)("is what the operator has none of: %s", async (_name, method) => {
    const entry = entryOf(method);
    const answer = await wire.call(
      method,
      entry.request(await freshIds(victim, entry)) as never,
      service.operatorToken,
    );
    expect(answer).toMatchObject({ code: "permission_denied", reason: "PERMISSION_MISSING" });
  });
});
