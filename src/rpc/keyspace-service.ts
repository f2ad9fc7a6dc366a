import type { ConnectRouter } from "@connectrpc/connect";
import type { ChangeService } from "../changes/change-service.ts";
import { invalidField } from "../errors.ts";
import { KeyspaceService as Desc } from "../gen/clavis/v1/keyspace_service_pb.ts";
import type { KeyspaceService } from "../keyspaces/keyspace-service.ts";
import { callOf } from "./call-context.ts";
import { createChangeRunner } from "./change-runner.ts";
import { keyspaceToProto, policyChangesFromProto, policyFromProto } from "./keyspace-proto.ts";

/** Answers `clavis.v1.KeyspaceService`. Requests arrive authenticated and valid. */
export function routeKeyspaceService(
  router: ConnectRouter,
  { changes, keyspaces }: { changes: ChangeService; keyspaces: KeyspaceService },
): void {
  const { method } = Desc;
  const runner = createChangeRunner(changes);
  router.service(Desc, {
    createKeyspace(req, ctx) {
      return runner.run(method.createKeyspace, req, ctx, async (change) => {
        const keyspace = await keyspaces.create(change, policyFromProto(req));
        return { keyspace: keyspaceToProto(keyspace) };
      });
    },
    async getKeyspace(req, ctx) {
      const keyspace = await keyspaces.get(callOf(ctx), req.keyspaceId);
      return { keyspace: keyspaceToProto(keyspace) };
    },
    async listKeyspaces(req, ctx) {
      const { items, nextPageToken } = await keyspaces.list(callOf(ctx), req);
      return { keyspaces: items.map(keyspaceToProto), nextPageToken };
    },
    async updateKeyspace(req, ctx) {
      // The contract requires `keyspace`.
      if (req.keyspace === undefined) throw invalidField("keyspace", "is required");
      const etag = req.etag || req.keyspace.etag;
      const wanted = policyChangesFromProto(req.keyspace, req.updateMask);
      return runner.take(method.updateKeyspace, req, ctx, async (change) => {
        const keyspace = await keyspaces.update(change, { keyspaceId: req.keyspaceId, etag }, wanted);
        return { keyspace: keyspaceToProto(keyspace) };
      });
    },
    deleteKeyspace(req, ctx) {
      return runner.run(method.deleteKeyspace, req, ctx, async (change) => {
        await keyspaces.delete(change, req);
        return {};
      });
    },
  });
}
