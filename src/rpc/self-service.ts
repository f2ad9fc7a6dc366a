import type { ConnectRouter } from "@connectrpc/connect";
import { principalId } from "../access/principal.ts";
import type { ChangeService } from "../changes/change-service.ts";
import { SelfService as Desc } from "../gen/clavis/v1/self_service_pb.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Clock } from "../time.ts";
import { callOf } from "./call-context.ts";
import { createChangeRunner } from "./change-runner.ts";
import { keyToProto, reasonFromProto } from "./key-proto.ts";

interface Parts {
  readonly changes: ChangeService;
  readonly keys: KeyService;
  readonly clock: Clock;
}

/** Answers `clavis.v1.SelfService`. Requests arrive valid and from the bearer of a secret. */
export function routeSelfService(router: ConnectRouter, { changes, keys, clock }: Parts): void {
  const runner = createChangeRunner(changes);
  router.service(Desc, {
    async getSelf(_req, ctx) {
      const call = callOf(ctx);
      const { key, management } = await keys.getSelf(call, principalId(call.principal));
      return { key: keyToProto(key, clock()), tenantId: key.tenantId, management };
    },
    async revokeSelf(req, ctx) {
      const call = callOf(ctx);
      return runner.take(Desc.method.revokeSelf, req, ctx, async (change) => {
        const wish = { ...req, reason: reasonFromProto(req.reason) };
        return { key: keyToProto(await keys.revokeSelf(change, principalId(call.principal), wish), clock()) };
      });
    },
  });
}
