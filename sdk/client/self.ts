import {
  type GetSelfResponse,
  type RevokeSelfRequest,
  type RevokeSelfResponse,
  SelfService,
} from "../gen/clavis/v1/self_service_pb.ts";
import type { Call, CallOptions } from "./call.ts";
import { type Details, fieldsOf } from "./details.ts";
import { type Present, present } from "./present.ts";

/** The key behind the client's own token, whatever kind of key that is. Needs no permission. */
export interface Self {
  /** The key. */
  get(options?: CallOptions): Promise<Present<GetSelfResponse, "key">>;
  /**
   * Revokes the key: for who finds a leaked secret and holds nothing else. May be repeated. Fails with
   * `LAST_MANAGEMENT_KEY`.
   */
  revoke(options?: Details<RevokeSelfRequest, never>): Promise<Present<RevokeSelfResponse, "key" | "effectiveTime">>;
}

/** The client's own key, by way of `call`. */
export function createSelf(call: Call): Self {
  const { method } = SelfService;
  return {
    async get(options) {
      return present(await call(method.getSelf, {}, options), "key");
    },
    async revoke(options = {}) {
      return present(await call(method.revokeSelf, fieldsOf(options), options), "key", "effectiveTime");
    },
  };
}
