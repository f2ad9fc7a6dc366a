import { randomUUID } from "node:crypto";
import { KeyState, Outcome } from "@clavis/sdk";
import { expect } from "vitest";
import type { TestService } from "./service.ts";
import { openTenant } from "./tenant.ts";

/** A whole life of a key over the wire, each step of it seen by Verify and at the end in the audit log. */
export async function expectLifecycle(service: TestService): Promise<void> {
  await using tenant = await openTenant(service);
  const { clavis, keyspaceId } = tenant;
  const ask = async (secret: string) =>
    (await clavis.verify({ secret, keyspaceId, permissions: ["documents.read"] })).outcome;

  const wish = { keyspaceId, displayName: "CI", permissions: ["documents.*"], metadata: { plan: "pro" } };
  const { key, secret } = await clavis.keys.create({ ...wish, ttl: { days: 30 } });
  expect(await ask(secret)).toBe(Outcome.VALID);
  expect((await clavis.keys.get(key.id)).key).toEqual(key);

  await clavis.keys.update(key.id, { permissions: ["invoices.read"] }, { etag: key.etag });
  expect(await ask(secret)).toBe(Outcome.INSUFFICIENT_PERMISSIONS);
  await expect(clavis.keys.update(key.id, { displayName: "late" }, { etag: key.etag })).rejects.toMatchObject({
    reason: "ETAG_MISMATCH",
  });
  await clavis.keys.update(key.id, { permissions: ["documents.read"] });
  await clavis.keys.disable(key.id);
  expect(await ask(secret)).toBe(Outcome.DISABLED);
  await clavis.keys.enable(key.id);

  const rotated = await clavis.keys.rotate(key.id, { overlap: { hours: 1 } });
  expect([await ask(secret), await ask(rotated.secret)]).toEqual([Outcome.VALID, Outcome.VALID]);
  await clavis.keys.completeRotation(key.id);
  expect([await ask(secret), await ask(rotated.secret)]).toEqual([Outcome.ROTATED, Outcome.VALID]);

  const batch = await clavis.keys.batchCreate({
    keyspaceId,
    keys: Array.from({ length: 300 }, (_, index) => ({ displayName: `batch ${index}` })),
  });
  const listed = await Array.fromAsync(clavis.keys.list({ keyspaceId, pageSize: 100 }));
  expect(listed).toHaveLength(batch.length + 1);
  await clavis.keys.batchRevoke({ keyspaceId, filter: {} });
  expect(await ask(rotated.secret)).toBe(Outcome.REVOKED);
  expect((await clavis.keys.get(key.id)).key.state).toBe(KeyState.REVOKED);
  await clavis.keys.delete(key.id);
  expect(await ask(rotated.secret)).toBe(Outcome.NOT_FOUND);

  const events = await Array.fromAsync(clavis.audit.list({ oldestFirst: true }));
  expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ targets }) => targets.some(({ id }) => id === key.id)).map(({ type }) => type)).toEqual([
    "key.created",
    "key.updated",
    "key.updated",
    "key.disabled",
    "key.enabled",
    "key.rotated",
    "key.rotation_completed",
    "key.revoked",
    "key.deleted",
  ]);
}

/** Many calls with one request_id at the same time: one key, one secret, one event; and another request with it is refused. */
export async function expectExactlyOnce(service: TestService): Promise<void> {
  await using tenant = await openTenant(service);
  const { clavis, keyspaceId } = tenant;
  const request = { keyspaceId, displayName: "CI", requestId: randomUUID() };
  const before = (await Array.fromAsync(clavis.audit.list())).length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => clavis.keys.create(request)));
  expect(new Set(answers.map(({ secret }) => secret)).size).toBe(1);
  expect(await Array.fromAsync(clavis.keys.list({ keyspaceId }))).toHaveLength(1);
  expect(await Array.fromAsync(clavis.audit.list())).toHaveLength(before + 1);
  await expect(clavis.keys.create({ ...request, displayName: "Other" })).rejects.toMatchObject({
    reason: "REQUEST_ID_REUSED",
  });
}
