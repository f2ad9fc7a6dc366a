import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Call } from "../call.ts";

/** What is known of a call before anybody has looked at its credential. */
export interface Arrival {
  readonly callId: string;
  /** The address that the call came from; empty if that is not known. */
  readonly address: string;
}

export const arrivalKey = createContextKey<Arrival>(
  { callId: "", address: "" },
  { description: "how the call arrived" },
);

/** Whether an interceptor has seen the call. What cannot be read never gets that far. */
export const observedKey = createContextKey(false, { description: "whether the call is observed" });

export const callKey = createContextKey<Call | undefined>(undefined, { description: "the authenticated call" });

/** The call that a handler works for. Present wherever the authentication interceptor stands before the handler. */
export function callOf(ctx: HandlerContext): Call {
  const call = ctx.values.get(callKey);
  if (call === undefined) throw new Error("no interceptor has authenticated this call");
  return call;
}
