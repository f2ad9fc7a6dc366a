import { createClavis } from "@clavis/sdk";
import { expect, it } from "vitest";
import { Outcome } from "../../sdk/gen/clavis/v1/verify_service_pb.ts";
import { openTestService } from "../harness/service.ts";

it("issues, verifies and revokes a key", async () => {
  await using service = await openTestService();
  const { token } = await service.newTenant();
  const clavis = createClavis({ baseUrl: service.url, token });
  const { keyspace } = await clavis.keyspaces.create({ displayName: "Acme", prefix: "acme_live" });
  const keyspaceId = keyspace?.id ?? "";
  const { key, secret } = await clavis.keys.create({ keyspaceId, displayName: "CI", permissions: ["documents.*"] });
  const ask = async () => (await clavis.verify({ secret, keyspaceId, permissions: ["documents.read"] })).outcome;
  expect(await ask()).toBe(Outcome.VALID);
  await clavis.keys.revoke(key?.id ?? "");
  expect(await ask()).toBe(Outcome.REVOKED);
  await clavis.close();
});
