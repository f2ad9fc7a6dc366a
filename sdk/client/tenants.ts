import { type Tenant, TenantSchema } from "../gen/clavis/v1/tenant_pb.ts";
import {
  type CreateManagementKeyRequest,
  type CreateManagementKeyResponse,
  type CreateTenantRequest,
  type CreateTenantResponse,
  type GetTenantResponse,
  type ListTenantsRequest,
  TenantService,
  type UpdateTenantRequest,
  type UpdateTenantResponse,
} from "../gen/clavis/v1/tenant_service_pb.ts";
import type { Call, CallOptions } from "./call.ts";
import { type Changes, updateFrom } from "./changes.ts";
import { type Details, fieldsOf } from "./details.ts";
import type { Input, Requires } from "./input.ts";
import { createPages, type Pages } from "./pages.ts";
import { type Present, present } from "./present.ts";

const CHANGEABLE = ["displayName", "suspended"] as const;

export type CreateTenantInput = Requires<Input<CreateTenantRequest>, "displayName">;
export type CreateManagementKeyInput = Requires<Input<CreateManagementKeyRequest>, "tenantId" | "displayName">;
export type TenantChanges = Changes<Tenant, (typeof CHANGEABLE)[number]>;

/** The tenants of the deployment. Only for the operator, whose token comes from the service's environment. */
export interface Tenants {
  /** Creates a tenant with a first management key, whose secret is in this answer and nowhere else. */
  create(
    request: CreateTenantInput,
    options?: CallOptions,
  ): Promise<Present<CreateTenantResponse, "tenant" | "managementKey">>;
  /** One tenant. Fails with `TENANT_NOT_FOUND`. */
  get(tenantId: string, options?: CallOptions): Promise<Present<GetTenantResponse, "tenant">>;
  /** All tenants, newest first. */
  list(request?: Input<ListTenantsRequest>, options?: CallOptions): Pages<Tenant>;
  /**
   * Changes what `changes` names and nothing else. Fails with `TENANT_NOT_FOUND`, and, given the `etag` that was read,
   * `ETAG_MISMATCH`.
   */
  update(
    tenantId: string,
    changes: TenantChanges,
    options?: Details<UpdateTenantRequest, "tenantId" | "tenant" | "updateMask">,
  ): Promise<Present<UpdateTenantResponse, "tenant" | "effectiveTime">>;
  /** Gives a tenant one more management key that may do everything in it. Fails with `TENANT_NOT_FOUND`. */
  createManagementKey(
    request: CreateManagementKeyInput,
    options?: CallOptions,
  ): Promise<Present<CreateManagementKeyResponse, "key">>;
}

/** The tenants, by way of `call`. */
export function createTenants(call: Call): Tenants {
  const { method } = TenantService;
  return {
    async create(request, options) {
      return present(await call(method.createTenant, request, options), "tenant", "managementKey");
    },
    async get(tenantId, options) {
      return present(await call(method.getTenant, { tenantId }, options), "tenant");
    },
    list(request = {}, options) {
      return createPages(request.pageToken ?? "", async (pageToken) => {
        const page = await call(method.listTenants, { ...request, pageToken }, options);
        return { items: page.tenants, nextPageToken: page.nextPageToken };
      });
    },
    async update(tenantId, changes, options = {}) {
      const { values, mask } = updateFrom(TenantSchema, CHANGEABLE, changes);
      const request = { ...fieldsOf(options), tenantId, tenant: values, updateMask: mask };
      return present(await call(method.updateTenant, request, options), "tenant", "effectiveTime");
    },
    async createManagementKey(request, options) {
      return present(await call(method.createManagementKey, request, options), "key");
    },
  };
}
