import { randomUUID } from "node:crypto";
import { type Clavis, createClavis, RevocationMode } from "@clavis/sdk";
import { startServiceProcess } from "../harness/service-process.ts";
import type { Mode } from "./targets.ts";

/** A tenant with a keyspace of each mode. */
export interface Place {
  /** Of a management key that may do everything. */
  readonly token: string;
  readonly keyspaceIds: Readonly<Record<Mode, string>>;
}

/** Makes one with a service that goes again. */
export async function makePlace(databaseUrl: string, env: Readonly<Record<string, string>>): Promise<Place> {
  await using service = await startServiceProcess({ ...env, CLAVIS_DATABASE_URL: databaseUrl });
  await using operator = createClavis({ baseUrl: service.url, token: env.CLAVIS_OPERATOR_KEYS ?? "" });
  const { managementSecret: token } = await operator.tenants.create({ displayName: "Revoked" });
  await using clavis = createClavis({ baseUrl: service.url, token });
  const keyspaceIds = {
    strict: await newKeyspace(clavis, "strict"),
    available: await newKeyspace(clavis, "available"),
  };
  service.signal("SIGTERM");
  await service.exited;
  return { token, keyspaceIds };
}

export async function newKeyspace(clavis: Clavis, mode: Mode): Promise<string> {
  const revocationMode = { strict: RevocationMode.STRICT, available: RevocationMode.AVAILABLE }[mode];
  const prefix = `k${randomUUID().replaceAll("-", "").slice(0, 12)}`;
  return (await clavis.keyspaces.create({ displayName: mode, prefix, revocationMode })).keyspace.id;
}
