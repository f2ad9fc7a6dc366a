import { create } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { etagOf } from "../etag.ts";
import { type Tenant as TenantProto, TenantSchema } from "../gen/clavis/v1/tenant_pb.ts";
import type { Tenant } from "../tenants/tenant.ts";
import type { TenantTerms } from "../tenants/tenant-service.ts";
import { type Changeable, changesIn } from "./field-mask.ts";
import { timeToProto } from "./time-proto.ts";

export function tenantToProto(tenant: Tenant): TenantProto {
  return create(TenantSchema, {
    id: tenant.id,
    displayName: tenant.displayName,
    suspended: tenant.suspended,
    managementKeyspaceId: tenant.managementKeyspaceId,
    etag: etagOf(tenant),
    createTime: timeToProto(tenant.createTime),
    updateTime: timeToProto(tenant.updateTime),
  });
}

/** What an update says of the terms. */
export function tenantChangesFromProto(tenant: TenantProto, mask: FieldMask | undefined): Partial<TenantTerms> {
  return changesIn(TenantSchema, tenant, mask, changeable);
}

const changeable: Changeable<TenantProto, TenantTerms> = {
  display_name: ({ displayName }) => ({ displayName }),
  suspended: ({ suspended }) => ({ suspended }),
};
