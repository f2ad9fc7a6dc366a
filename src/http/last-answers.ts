import { ServerResponse } from "node:http";
import type { RequestHandler } from "./request-handler.ts";

/** Watches the answers over HTTP/1.1, so that from some moment on each is the last of its connection and says so. */
export function withLastAnswers(handle: RequestHandler): { handler: RequestHandler; sayLast: () => void } {
  const open = new Set<ServerResponse>();
  let last = false;
  return {
    handler(req, res) {
      if (res instanceof ServerResponse) {
        if (last) res.shouldKeepAlive = false;
        open.add(res);
        res.once("close", () => open.delete(res));
      }
      handle(req, res);
    },
    sayLast() {
      last = true;
      for (const res of open) res.shouldKeepAlive = false;
    },
  };
}
