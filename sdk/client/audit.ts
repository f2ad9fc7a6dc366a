import type { Event } from "../gen/clavis/v1/audit_pb.ts";
import { AuditService, type ListEventsRequest } from "../gen/clavis/v1/audit_service_pb.ts";
import type { Call, CallOptions } from "./call.ts";
import type { Input } from "./input.ts";
import { createPages, type Pages } from "./pages.ts";

/** The audit log of the caller's tenant. */
export interface Audit {
  /** The events that match, newest first unless `oldestFirst`. */
  list(request?: Input<ListEventsRequest>, options?: CallOptions): Pages<Event>;
}

/** The audit log, by way of `call`. */
export function createAudit(call: Call): Audit {
  return {
    list(request = {}, options) {
      return createPages(request.pageToken ?? "", async (pageToken) => {
        const page = await call(AuditService.method.listEvents, { ...request, pageToken }, options);
        return { items: page.events, nextPageToken: page.nextPageToken };
      });
    },
  };
}
