import type { ConnectRouter } from "@connectrpc/connect";
import type { ChangeService } from "../changes/change-service.ts";
import { invalidField } from "../errors.ts";
import { KeyService as Desc } from "../gen/clavis/v1/key_service_pb.ts";
import type { Key } from "../keys/key.ts";
import type { CreatedKey } from "../keys/key-issuance.ts";
import type { BatchRevokeWish } from "../keys/key-revocation.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Clock } from "../time.ts";
import { callOf } from "./call-context.ts";
import { createChangeRunner } from "./change-runner.ts";
import {
  draftFromProto,
  filterFromProto,
  importFromProto,
  keyToProto,
  orderFromProto,
  reasonFromProto,
  termChangesFromProto,
} from "./key-proto.ts";
import { durationFromProto, later } from "./time-proto.ts";

interface Parts {
  readonly changes: ChangeService;
  readonly keys: KeyService;
  readonly clock: Clock;
}

/** The largest request is an import of 1,000 keys with 4 KiB of metadata each. */
const READ_BYTES_MAX = 8 * 1024 * 1024;

/** Answers `clavis.v1.KeyService`. Requests arrive authenticated and valid. */
export function routeKeyService(router: ConnectRouter, { changes, keys, clock }: Parts): void {
  const { method } = Desc;
  const runner = createChangeRunner(changes);
  const show = (key: Key) => keyToProto(key, clock());
  const showCreated = ({ key, secret }: CreatedKey) => ({ key: show(key), secret: secret.reveal() });

  router.service(
    Desc,
    {
      createKey(req, ctx) {
        return runner.run(method.createKey, req, ctx, async (change) =>
          showCreated(await keys.create(change, req.keyspaceId, draftFromProto(req))),
        );
      },
      batchCreateKeys(req, ctx) {
        return runner.run(method.batchCreateKeys, req, ctx, async (change) => {
          const drafts = req.keys.map((spec, index) => draftFromProto(spec, `keys[${index}].`));
          const created = await keys.createBatch(change, req.keyspaceId, drafts);
          return { keys: created.map(showCreated) };
        });
      },
      importKeys(req, ctx) {
        return runner.run(method.importKeys, req, ctx, async (change) => {
          const imported = await keys.importBatch(change, req.keyspaceId, req.keys.map(importFromProto));
          return { keys: imported.map(show) };
        });
      },
      async getKey(req, ctx) {
        return { key: show(await keys.get(callOf(ctx), req.keyId)) };
      },
      async listKeys(req, ctx) {
        const filter = filterFromProto(req.filter);
        const { items, nextPageToken } = await keys.list(callOf(ctx), {
          ...req,
          ...orderFromProto(req.orderBy),
          filter,
        });
        return { keys: items.map(show), nextPageToken };
      },
      async updateKey(req, ctx) {
        // The contract requires `key`.
        if (req.key === undefined) throw invalidField("key", "is required");
        const etag = req.etag || req.key.etag;
        const wanted = termChangesFromProto(req.key, req.updateMask);
        return runner.take(method.updateKey, req, ctx, async (change) => ({
          key: show(await keys.update(change, { keyId: req.keyId, etag }, wanted, req.force)),
        }));
      },
      async disableKey(req, ctx) {
        return runner.take(method.disableKey, req, ctx, async (change) => ({
          key: show(await keys.disable(change, req, req.force)),
        }));
      },
      enableKey(req, ctx) {
        return runner.run(method.enableKey, req, ctx, async (change) => ({
          key: show(await keys.enable(change, req)),
        }));
      },
      async rotateKey(req, ctx) {
        const answer = await runner.take(method.rotateKey, req, ctx, async (change) => {
          const overlapMs = req.overlap === undefined ? 0 : durationFromProto(req.overlap);
          return showCreated(await keys.rotate(change, req, overlapMs));
        });
        // The secret before goes on until the overlap ends, on each replica by itself.
        return { ...answer, effectiveTime: later(answer.effectiveTime, answer.key?.rotation?.overlapEndTime) };
      },
      async completeRotation(req, ctx) {
        return runner.take(method.completeRotation, req, ctx, async (change) => ({
          key: show(await keys.completeRotation(change, req)),
        }));
      },
      async revokeKey(req, ctx) {
        return runner.take(method.revokeKey, req, ctx, async (change) => {
          const wish = { ...req, reason: reasonFromProto(req.reason) };
          return { key: show(await keys.revoke(change, req.keyId, wish)) };
        });
      },
      async batchRevokeKeys(req, ctx) {
        const call = callOf(ctx);
        const wish: BatchRevokeWish = {
          ...req,
          reason: reasonFromProto(req.reason),
          filter: filterFromProto(req.filter),
        };
        if (req.dryRun) {
          const { items, nextPageToken } = await keys.previewBatch(call, wish);
          return { keyIds: [...items], nextPageToken };
        }
        return runner.take(method.batchRevokeKeys, req, ctx, async (change) => {
          const { items, nextPageToken } = await keys.revokeBatch(change, wish);
          return { keyIds: [...items], nextPageToken };
        });
      },
      deleteKey(req, ctx) {
        return runner.run(method.deleteKey, req, ctx, async (change) => {
          await keys.delete(change, req);
          return {};
        });
      },
    },
    { readMaxBytes: READ_BYTES_MAX },
  );
}
