import type { ConnectRouter } from "@connectrpc/connect";
import type { ChangeService } from "../changes/change-service.ts";
import { invalidField } from "../errors.ts";
import { TenantService as Desc } from "../gen/clavis/v1/tenant_service_pb.ts";
import type { NewId } from "../ids.ts";
import type { TenantService } from "../tenants/tenant-service.ts";
import type { Clock } from "../time.ts";
import { callOf } from "./call-context.ts";
import { createChangeRunner } from "./change-runner.ts";
import { keyToProto } from "./key-proto.ts";
import { tenantChangesFromProto, tenantToProto } from "./tenant-proto.ts";

interface Parts {
  readonly changes: ChangeService;
  readonly tenants: TenantService;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Answers `clavis.v1.TenantService`. Requests arrive valid and from the operator. */
export function routeTenantService(router: ConnectRouter, { changes, tenants, newId, clock }: Parts): void {
  const { method } = Desc;
  const runner = createChangeRunner(changes);
  router.service(Desc, {
    createTenant(req, ctx) {
      return runner.run(
        method.createTenant,
        req,
        ctx,
        async (change) => {
          const { tenant, created } = await tenants.create(change, req.displayName);
          return {
            tenant: tenantToProto(tenant),
            managementKey: keyToProto(created.key, clock()),
            managementSecret: created.secret.reveal(),
          };
        },
        newId("ten"),
      );
    },
    async getTenant(req, ctx) {
      return { tenant: tenantToProto(await tenants.get(callOf(ctx), req.tenantId)) };
    },
    async listTenants(req, ctx) {
      const { items, nextPageToken } = await tenants.list(callOf(ctx), req);
      return { tenants: items.map(tenantToProto), nextPageToken };
    },
    async updateTenant(req, ctx) {
      // The contract requires `tenant`.
      if (req.tenant === undefined) throw invalidField("tenant", "is required");
      const etag = req.etag || req.tenant.etag;
      const wanted = tenantChangesFromProto(req.tenant, req.updateMask);
      return runner.take(
        method.updateTenant,
        req,
        ctx,
        async (change) => ({
          tenant: tenantToProto(await tenants.update(change, etag, wanted)),
        }),
        req.tenantId,
      );
    },
    createManagementKey(req, ctx) {
      return runner.run(
        method.createManagementKey,
        req,
        ctx,
        async (change) => {
          const { key, secret } = await tenants.createManagementKey(change, req.displayName);
          return { key: keyToProto(key, clock()), secret: secret.reveal() };
        },
        req.tenantId,
      );
    },
  });
}
