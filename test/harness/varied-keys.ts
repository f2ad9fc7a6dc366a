import { createHash } from "node:crypto";
import type { Clavis } from "@clavis/sdk";
import { Outcome } from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import type { TestClock } from "./test-clock.ts";

/** A secret, and what it is to be worth. */
export interface KnownSecret {
  readonly what: string;
  readonly secret: string;
  readonly keyspaceId: string;
  readonly outcome: Outcome;
}

const HOUR_MS = 60 * 60 * 1000;

/**
 * Makes keys of all kinds and brings them into every state. What the secrets are worth holds when this has
 * resolved, having moved the service's clock on by an hour.
 */
export async function makeVariedKeys(
  clavis: Clavis,
  time: Pick<TestClock, "advance" | "date">,
): Promise<readonly KnownSecret[]> {
  const { keyspace } = await clavis.keyspaces.create({ displayName: 'Acme "live"\n', prefix: "acme_live" });
  const { keyspace: closed } = await clavis.keyspaces.create({ displayName: "Closed", prefix: "acme_old" });
  const keyspaceId = keyspace.id;
  const known: KnownSecret[] = [];
  const make = async (what: string, outcome: Outcome, init: object = {}, inKeyspace = keyspaceId) => {
    const { key, secret } = await clavis.keys.create({ displayName: what, keyspaceId: inKeyspace, ...init });
    known.push({ what, secret, keyspaceId: inKeyspace, outcome });
    return key.id;
  };

  await make("active", Outcome.VALID, {
    ownerId: "customer-1",
    permissions: ["documents.*"],
    metadata: { text: 'ü "\\\u2028', number: 1.5e-7, nested: { list: [null, true, []] } },
    allowedAddresses: ["127.0.0.0/8", "::1/128"],
  });
  await make("not for this address", Outcome.ADDRESS_DENIED, { allowedAddresses: ["192.0.2.0/24"] });
  await make("expired", Outcome.EXPIRED, { expireTime: time.date(HOUR_MS / 2) });
  await make("not yet", Outcome.NOT_YET_VALID, { notBeforeTime: time.date(10 * HOUR_MS) });
  await clavis.keys.disable(await make("disabled", Outcome.DISABLED));
  await clavis.keys.revoke(await make("revoked", Outcome.REVOKED), { reasonText: "lost; found\nin a bin" });
  const rotated = await make("rotated, in its overlap", Outcome.VALID);
  const { secret } = await clavis.keys.rotate(rotated, { overlap: { hours: 5 } });
  known.push({ what: "rotated, the new one", secret, keyspaceId, outcome: Outcome.VALID });
  await clavis.keys.rotate(await make("rotated, overlap over", Outcome.ROTATED), { overlap: { minutes: 10 } });
  const deleted = await make("deleted", Outcome.NOT_FOUND);
  await clavis.keys.revoke(deleted);
  await clavis.keys.delete(deleted);

  const imported = "sk_made_elsewhere_1234567890";
  const digest = createHash("sha256").update(imported).digest("hex");
  await clavis.keys.import({ keyspaceId, keys: [{ digest, spec: { displayName: "imported" } }] });
  known.push({ what: "imported", secret: imported, keyspaceId, outcome: Outcome.VALID });

  await make("in a closed keyspace", Outcome.KEYSPACE_DISABLED, {}, closed.id);
  await clavis.keyspaces.update(closed.id, { disabled: true });
  await clavis.keyspaces.update(keyspaceId, { prefix: "acme_next" });
  time.advance(HOUR_MS);
  return known;
}
