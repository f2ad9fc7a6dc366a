import type { ConnectRouter } from "@connectrpc/connect";
import type { AuditService } from "../audit/audit-service.ts";
import { AuditService as Desc } from "../gen/clavis/v1/audit_service_pb.ts";
import { callOf } from "./call-context.ts";
import { eventToProto } from "./event-proto.ts";
import { optionalTimeFromProto } from "./time-proto.ts";

/** Answers `clavis.v1.AuditService`. Requests arrive authenticated and valid. */
export function routeAuditService(router: ConnectRouter, audit: AuditService): void {
  router.service(Desc, {
    async listEvents(req, ctx) {
      const { types, actorId, targetId, callId, oldestFirst, pageSize, pageToken } = req;
      const afterTime = optionalTimeFromProto(req.afterTime, "after_time");
      const beforeTime = optionalTimeFromProto(req.beforeTime, "before_time");
      const filter = { types, actorId, targetId, callId, afterTime, beforeTime };
      const { items, nextPageToken } = await audit.list(callOf(ctx), { filter, oldestFirst, pageSize, pageToken });
      return { events: items.map(eventToProto), nextPageToken };
    },
  });
}
