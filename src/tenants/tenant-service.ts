import { isDeepStrictEqual } from "node:util";
import { ALL_PERMISSIONS } from "../access/permissions.ts";
import { keyspaceSnapshot, tenantSnapshot } from "../audit/event.ts";
import type { Call } from "../call.ts";
import type { Change } from "../changes/change-service.ts";
import type { Transactor } from "../changes/transactor.ts";
import { DomainError, invalidField } from "../errors.ts";
import { checkEtag } from "../etag.ts";
import type { NewId } from "../ids.ts";
import type { CreatedKey, KeyIssuance } from "../keys/key-issuance.ts";
import { type Keyspace, MANAGEMENT_PREFIX } from "../keyspaces/keyspace.ts";
import type { PageTokens } from "../page-token.ts";
import { type Page, type PageRequest, pageOf } from "../paging.ts";
import type { Tenant } from "./tenant.ts";

/** What an operator may decide about a tenant. */
export type TenantTerms = Pick<Tenant, "displayName" | "suspended">;

/** The tenants of the deployment, for its operator. Failures are those that `tenant_service.proto` names. */
export interface TenantService {
  /** The tenant that the change's transaction was opened for, with its reserved keyspace and a first management key. */
  create(change: Change, displayName: string): Promise<{ tenant: Tenant; created: CreatedKey }>;
  get(call: Call, tenantId: string): Promise<Tenant>;
  list(call: Call, request: PageRequest): Promise<Page<Tenant>>;
  update(change: Change, etag: string, changes: Partial<TenantTerms>): Promise<Tenant>;
  /** One more management key that may do everything in the tenant. */
  createManagementKey(change: Change, displayName: string): Promise<CreatedKey>;
}

interface Parts {
  readonly transactor: Transactor;
  readonly keys: KeyIssuance;
  readonly pageTokens: PageTokens;
  readonly newId: NewId;
}

export function createTenantService({ transactor, keys, pageTokens, newId }: Parts): TenantService {
  return {
    async create(change, displayName) {
      const { tx, now } = change;
      const times = { version: 1, createTime: now, updateTime: now };
      const keyspace: Keyspace = {
        id: newId("ks"),
        tenantId: tx.tenantId,
        displayName: "Management keys",
        prefix: MANAGEMENT_PREFIX,
        earlierPrefixes: [],
        defaultTtlMs: null,
        maxTtlMs: null,
        grantablePermissions: [ALL_PERMISSIONS],
        disabled: false,
        revocationMode: "available",
        modeVersion: 1,
        modeSettled: true,
        management: true,
        ...times,
      };
      const tenant: Tenant = {
        id: tx.tenantId,
        displayName,
        suspended: false,
        managementKeyspaceId: keyspace.id,
        ...times,
      };
      await tx.tenants.insert(tenant);
      await tx.keyspaces.insert(keyspace);
      tx.audit.append([
        { type: "tenant.created", before: null, after: tenantSnapshot(tenant) },
        { type: "keyspace.created", before: null, after: keyspaceSnapshot(keyspace) },
      ]);
      return { tenant, created: await createFullKey(change, tenant, "First management key") };
    },

    async get(call, tenantId) {
      const tenant = await transactor.readTenants(call, (tenants) => tenants.find(tenantId));
      if (tenant === undefined) throw new DomainError({ reason: "TENANT_NOT_FOUND", tenantId });
      return tenant;
    },

    async list(call, request) {
      return transactor.readTenants(call, (tenants) =>
        pageOf({
          tokens: pageTokens,
          query: ["tenants"],
          request,
          // Sealed by `positionOf`, and so as it was.
          fetch: (after, limit) => tenants.list({ afterId: after as string | undefined, limit }),
          positionOf: ({ id }) => id,
        }),
      );
    },

    async update({ tx, now, concerns }, etag, changes) {
      // All of its keyspaces, whatever modes they have.
      concerns({ mode: "available", settled: true });
      const tenant = await existing(tx.tenantId, tx.tenants.findLocked(tx.tenantId));
      checkEtag(tenant, etag);
      if (changes.displayName === "") throw invalidField("tenant.display_name", "must not be empty");
      if (isDeepStrictEqual({ ...tenant, ...changes }, tenant)) return tenant;
      const changed: Tenant = { ...tenant, ...changes, version: tenant.version + 1, updateTime: now };
      await tx.tenants.update(changed);
      tx.audit.append([{ type: "tenant.updated", before: tenantSnapshot(tenant), after: tenantSnapshot(changed) }]);
      return changed;
    },

    async createManagementKey(change, displayName) {
      const { tx } = change;
      const tenant = await existing(tx.tenantId, tx.tenants.find(tx.tenantId));
      return createFullKey(change, tenant, displayName);
    },
  };

  function createFullKey(change: Change, tenant: Tenant, displayName: string): Promise<CreatedKey> {
    return keys.create(change, tenant.managementKeyspaceId, {
      displayName,
      ownerId: "",
      permissions: [ALL_PERMISSIONS],
      allowedKeyspaceIds: [],
      allowedAddresses: [],
      metadata: {},
      expiry: undefined,
      notBeforeTime: null,
    });
  }
}

async function existing(tenantId: string, found: Promise<Tenant | undefined>): Promise<Tenant> {
  const tenant = await found;
  if (tenant === undefined) throw new DomainError({ reason: "TENANT_NOT_FOUND", tenantId });
  return tenant;
}
