import { hash, randomBytes } from "node:crypto";
import { type ImportedKeyInput, KeyState, Outcome } from "@clavis/sdk";
import { formatSecret } from "@clavis/sdk/rules";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { importLines } from "../../src/cli/import/import-lines.ts";
import { KeyService } from "../../src/gen/clavis/v1/key_service_pb.ts";
import { BadRequestSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { setUpHome } from "../harness/tenant-home.ts";

const { home } = await setUpHome();

describe("BatchCreateKeys", () => {
  it("makes a thousand keys, answered in the order asked for, each with a secret of its own", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const names = Array.from({ length: 1000 }, (_, index) => `key ${index}`);
    const created = await home.clavis.keys.batchCreate({
      keyspaceId,
      keys: names.map((displayName) => ({ displayName, permissions: ["a.b"], ownerId: displayName })),
    });
    expect(created.map(({ key }) => key.displayName)).toEqual(names);
    expect(new Set(created.map(({ secret }) => secret)).size).toBe(1000);
    for (const { key, secret } of [created[0], created[499], created[999]].filter((one) => one !== undefined)) {
      expect(await home.clavis.verify({ secret, keyspaceId, permissions: ["a.b"] })).toMatchObject({
        outcome: Outcome.VALID,
        key: { id: key.id, ownerId: key.displayName },
      });
    }
    expect(await countKeys(keyspaceId)).toBe(1000);
  });

  it.each([
    ["breaks the contract", { displayName: "" }, "INVALID_REQUEST", "keys[2].display_name"],
    ["is no permission", { permissions: ["A"] }, "INVALID_REQUEST", "keys[2].permissions[0]"],
    ["has no address", { allowedAddresses: ["::1/129"] }, "INVALID_REQUEST", "keys[2].allowed_addresses[0]"],
    ["cannot be granted", { permissions: ["other.read"] }, "PERMISSION_NOT_GRANTABLE", "keys[2].permissions"],
    ["lives too long", { ttl: { days: 2 } }, "EXPIRY_OUTSIDE_POLICY", "keys[2].ttl"],
    ["ended before", { expireTime: new Date(1) }, "EXPIRY_OUTSIDE_POLICY", "keys[2].expire_time"],
    [
      "has a scope",
      { allowedKeyspaceIds: [`ks_${"0".repeat(26)}`] },
      "INVALID_REQUEST",
      "keys[2].allowed_keyspace_ids",
    ],
  ])("makes none and names the item when one %s", async (_, bad, reason, field) => {
    const { id: keyspaceId } = await home.newKeyspace({ maxTtl: { days: 1 }, grantablePermissions: ["documents.*"] });
    const good = { displayName: "x" };
    const creation = home.clavis.keys.batchCreate({ keyspaceId, keys: [good, good, { ...good, ...bad }, good] });
    await expect(creation).rejects.toMatchObject({ reason, violations: [{ field }] });
    expect(await countKeys(keyspaceId)).toBe(0);
  });

  it("names every item that fails for the first one's reason", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ maxTtl: { days: 1 }, grantablePermissions: ["documents.*"] });
    const late = { displayName: "x", ttl: { days: 2 } };
    const beyond = (permission: string) => ({ displayName: "x", permissions: [permission] });
    const create = (...keys: Parameters<typeof home.clavis.keys.batchCreate>[0]["keys"]) =>
      home.clavis.keys.batchCreate({ keyspaceId, keys });
    await expect(create(beyond("a"), late, beyond("b"))).rejects.toMatchObject({
      reason: "PERMISSION_NOT_GRANTABLE",
      facts: { permissions: "a,b" },
      violations: [{ field: "keys[0].permissions" }, { field: "keys[2].permissions" }],
    });
    await expect(create(late, beyond("a"), late)).rejects.toMatchObject({
      reason: "EXPIRY_OUTSIDE_POLICY",
      violations: [{ field: "keys[0].ttl" }, { field: "keys[2].ttl" }],
    });
    const nowhere = { displayName: "x", allowedAddresses: ["::1/129"] };
    await expect(create(nowhere, late, nowhere)).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "keys[0].allowed_addresses[0]" }, { field: "keys[2].allowed_addresses[0]" }],
    });
    expect(await countKeys(keyspaceId)).toBe(0);
  });

  it("tells a gRPC client what is wrong with a thousand, as far as trailers go", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ grantablePermissions: ["documents.*"] });
    for (const bad of [{ allowedAddresses: ["::1/129"] }, { permissions: ["a"] }]) {
      const keys = Array.from({ length: 1000 }, () => ({ displayName: "x", ...bad }));
      const refusal = home.rpc(KeyService).batchCreateKeys({ keyspaceId, keys });
      const error = ConnectError.from(await refusal.catch((thrown: unknown) => thrown));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations.length).toBeGreaterThan(300);
    }
  });

  it.each([0, 1001])("refuses %d keys", async (count) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const keys = Array.from({ length: count }, () => ({ displayName: "x" }));
    await expect(home.clavis.keys.batchCreate({ keyspaceId, keys })).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "keys" }],
    });
  });
});

describe("ImportKeys", () => {
  it.each([
    ["hexadecimal digits", (secret: string) => sha256(secret).toString("hex")],
    ["hexadecimal digits in upper case", (secret: string) => sha256(secret).toString("hex").toUpperCase()],
    ["base64", (secret: string) => sha256(secret).toString("base64")],
    ["base64 without padding", (secret: string) => sha256(secret).toString("base64").replace("=", "")],
    ["base64url", (secret: string) => sha256(secret).toString("base64url")],
    ["base64url with padding", (secret: string) => `${sha256(secret).toString("base64url")}=`],
  ])("takes a digest in %s", async (_, write) => {
    const { id: keyspaceId } = await home.newKeyspace();
    // So many that each of the two alphabets' own characters is among them.
    const secrets = Array.from({ length: 20 }, () => `sk-${randomBytes(12).toString("hex")}`);
    await importAll(
      keyspaceId,
      secrets.map((secret) => ({ digest: write(secret) })),
    );
    const answers = await home.clavis.batchVerify(secrets.map((secret) => ({ secret, keyspaceId })));
    expect(answers.map((answer) => "outcome" in answer && answer.outcome)).toEqual(secrets.map(() => Outcome.VALID));
  });

  it.each([
    ["one character", "~"],
    ["512 characters", "x".repeat(512)],
    ["a UUID", "3f0e9a52-6a0c-4c43-9a4e-1c9d0c1f8f11"],
    ["every visible character", Array.from({ length: 94 }, (_, code) => String.fromCharCode(33 + code)).join("")],
    ["Clavis's own shape, checksum included", formatSecret("other_live", "a".repeat(43))],
    ["nearly Clavis's own shape", `acme_live_${"a".repeat(48)}`],
    ["another service's prefix and checksum", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"],
  ])("verifies a secret of %s", async (_, secret) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const other = await home.newKeyspace();
    await importAll(keyspaceId, [{ digest: sha256(secret).toString("hex") }]);
    expect(await home.outcomeOf(secret, keyspaceId)).toBe(Outcome.VALID);
    expect(await home.outcomeOf(secret, other.id)).toBe(Outcome.WRONG_KEYSPACE);
    expect(await home.outcomeOf(`${secret.slice(0, 511)}!`, keyspaceId)).toBe(Outcome.NOT_FOUND);
  });

  it("makes keys of all that a spec can say, in the order asked for", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ defaultTtl: { days: 3 } });
    const { keys } = await home.clavis.keys.import({
      keyspaceId,
      keys: [
        {
          digest: newDigest(),
          maskedSecret: "sk-12...89",
          spec: { displayName: "one", permissions: ["a"], metadata: { n: 1 }, ownerId: "o", ttl: { days: 1 } },
        },
        { digest: newDigest(), spec: { displayName: "two", allowedAddresses: ["10.0.0.0/8"] } },
      ],
    });
    expect(keys).toMatchObject([
      {
        displayName: "one",
        maskedSecret: "sk-12...89",
        imported: true,
        permissions: ["a"],
        metadata: { n: 1 },
        ownerId: "o",
        state: KeyState.ACTIVE,
      },
      { displayName: "two", maskedSecret: "imported", imported: true, allowedAddresses: ["10.0.0.0/8"] },
    ]);
    const [one, two] = keys.map(
      ({ expireTime, createTime }) => (expireTime?.seconds ?? 0n) - (createTime?.seconds ?? 0n),
    );
    expect([one, two]).toEqual([86_400n, 3n * 86_400n]);
    expect((await home.clavis.keys.get(keys[0]?.id ?? "")).key).toEqual(keys[0]);
  });

  it("makes none and names each item whose digest is known, in any keyspace of the tenant", async () => {
    const [one, two] = [await home.newKeyspace(), await home.newKeyspace()];
    const { secret } = await home.newKey(one.id);
    const known = newDigest();
    await importAll(one.id, [{ digest: known }]);

    const fresh = newDigest();
    const again = importAll(two.id, [{ digest: fresh }, { digest: known }, { digest: sha256(secret).toString("hex") }]);
    await expect(again).rejects.toMatchObject({
      reason: "DIGEST_ALREADY_EXISTS",
      violations: [{ field: "keys[1].digest" }, { field: "keys[2].digest" }],
    });
    expect(await countKeys(two.id)).toBe(0);
    // Nothing of the refused batch stays in the way.
    await importAll(two.id, [{ digest: fresh }]);
  });

  it("names a digest that comes twice, however it is written", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const digest = sha256(randomBytes(8).toString("hex"));
    const writings = [digest.toString("hex"), digest.toString("base64"), digest.toString("hex").toUpperCase()];
    const twice = importAll(keyspaceId, [{ digest: newDigest() }, ...writings.map((text) => ({ digest: text }))]);
    await expect(twice).rejects.toMatchObject({
      reason: "DIGEST_ALREADY_EXISTS",
      violations: [{ field: "keys[2].digest" }, { field: "keys[3].digest" }],
    });
    expect(await countKeys(keyspaceId)).toBe(0);
  });

  it.each([
    ["too short", "ab".repeat(31)],
    ["too long", "ab".repeat(33)],
    ["of other characters", `${"ab".repeat(31)}g!`],
    ["base64 of 33 bytes", randomBytes(33).toString("base64")],
  ])("refuses a digest that is %s, and does not repeat it", async (_, digest) => {
    const { id: keyspaceId } = await home.newKeyspace();
    const error: Error = await importAll(keyspaceId, [{ digest }]).then(
      () => new Error("it was taken"),
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field: "keys[0].digest" }] });
    expect(JSON.stringify(error)).not.toContain(digest);
  });

  it("holds each spec to the keyspace's policy, naming the item", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ grantablePermissions: ["a.*"], maxTtl: { days: 1 } });
    const bad = importAll(keyspaceId, [
      { digest: newDigest() },
      { digest: newDigest(), spec: { displayName: "x", permissions: ["b"] } },
    ]);
    await expect(bad).rejects.toMatchObject({
      reason: "PERMISSION_NOT_GRANTABLE",
      facts: { permissions: "b" },
      violations: [{ field: "keys[1].spec.permissions" }],
    });
    const late = importAll(keyspaceId, [{ digest: newDigest(), spec: { displayName: "x", ttl: { days: 2 } } }]);
    await expect(late).rejects.toMatchObject({
      reason: "EXPIRY_OUTSIDE_POLICY",
      violations: [{ field: "keys[0].spec.ttl" }],
    });
    const nameless = importAll(keyspaceId, [{ digest: newDigest(), spec: { displayName: "" } }]);
    await expect(nameless).rejects.toMatchObject({ violations: [{ field: "keys[0].spec.display_name" }] });
  });

  it("needs one call per kind of mistake in a file, however many lines make it", async () => {
    const { id: keyspaceId } = await home.newKeyspace({ grantablePermissions: ["a.*"], maxTtl: { days: 1 } });
    const mistakes = [{}, { permissions: ["b"] }, { ttl: "2d" }, { allowed_addresses: ["::1/129"] }, {}];
    async function* lines() {
      for (let number = 1; number <= 1000; number++) {
        const more = mistakes[number % mistakes.length];
        yield { number, text: JSON.stringify({ digest: newDigest(), display_name: "x", ...more }) };
      }
    }
    let calls = 0;
    const send = (request: Parameters<typeof home.clavis.keys.import>[0]) => {
      calls++;
      return home.clavis.keys.import(request);
    };
    const [result, ...others] = await Array.fromAsync(importLines(lines(), { keyspaceId, send }));
    expect(others).toEqual([]);
    expect(result).toMatchObject({ imported: 400, refused: { length: 600 } });
    expect(calls).toBe(4);
    expect(await countKeys(keyspaceId)).toBe(400);
  });

  it("makes no management keys", async () => {
    const keyspaceId = home.managementKeyspaceId;
    await expect(importAll(keyspaceId, [{ digest: newDigest() }])).rejects.toMatchObject({
      reason: "KEYSPACE_RESERVED",
      facts: { keyspace_id: keyspaceId },
    });
  });

  it("gives an imported key a secret of Clavis's own when it is rotated", async () => {
    const { id: keyspaceId } = await home.newKeyspace();
    const secret = `sk-${randomBytes(12).toString("hex")}`;
    const { keys } = await importAll(keyspaceId, [{ digest: sha256(secret).toString("hex"), maskedSecret: "sk-..." }]);
    const rotated = await home.clavis.keys.rotate(keys[0]?.id ?? "", { overlap: { hours: 1 } });
    expect(rotated.key).toMatchObject({ imported: false, rotation: { previousMaskedSecret: "sk-..." } });
    expect(rotated.secret).toMatch(/^acme_live_/);
    for (const one of [secret, rotated.secret]) expect(await home.outcomeOf(one, keyspaceId)).toBe(Outcome.VALID);
  });
});

function importAll(
  keyspaceId: string,
  keys: readonly (Omit<ImportedKeyInput, "spec"> & Partial<Pick<ImportedKeyInput, "spec">>)[],
) {
  return home.clavis.keys.import({ keyspaceId, keys: keys.map((key) => ({ spec: { displayName: "x" }, ...key })) });
}

async function countKeys(keyspaceId: string): Promise<number> {
  let count = 0;
  for await (const _ of home.clavis.keys.list({ keyspaceId, pageSize: 200 })) count++;
  return count;
}

function sha256(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}

function newDigest(): string {
  return randomBytes(32).toString("hex");
}
