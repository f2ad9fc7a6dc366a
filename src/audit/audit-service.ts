import { tenantIdOf } from "../access/principal.ts";
import { need } from "../access/rights.ts";
import type { Call } from "../call.ts";
import type { Transactor } from "../changes/transactor.ts";
import type { PageTokens } from "../page-token.ts";
import { type Page, type PageRequest, pageOf } from "../paging.ts";
import type { EventFilter } from "./audit-log.ts";
import type { Event } from "./event.ts";

export interface EventListRequest extends PageRequest {
  readonly filter: EventFilter;
  readonly oldestFirst: boolean;
}

/** The audit log, for who may read it. */
export interface AuditService {
  list(call: Call, request: EventListRequest): Promise<Page<Event>>;
}

export function createAuditService({
  transactor,
  pageTokens,
}: {
  transactor: Transactor;
  pageTokens: PageTokens;
}): AuditService {
  return {
    async list(call, request) {
      need(call.rights, "clavis.audit.read");
      const { filter, oldestFirst } = request;
      const keyspaceIds = call.rights.keyspaceIds.length === 0 ? undefined : call.rights.keyspaceIds;
      return transactor.read(call, tenantIdOf(call.principal), (tx) =>
        pageOf({
          tokens: pageTokens,
          query: ["events", tx.tenantId, { ...filter }, oldestFirst],
          request,
          fetch: (position, limit) => {
            // Sealed by `positionOf`, and so as it was.
            const after = position as number | undefined;
            return tx.audit.list({ filter, keyspaceIds, oldestFirst, after, limit });
          },
          positionOf: ({ sequence }) => sequence,
        }),
      );
    },
  };
}
