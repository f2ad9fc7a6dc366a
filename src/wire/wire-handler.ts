import { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { AddressedRequest } from "../http/client-address.ts";
import type { RequestHandler } from "../http/request-handler.ts";
import type { Shortcut } from "../http/shortcut.ts";
import { type CommonHeaders, createExchanges } from "./exchange.ts";
import { createLeanCalls, type LeanCallParts, type Presented } from "./lean-call.ts";
import { leanRequestOf } from "./lean-request.ts";
import { replay } from "./read-body.ts";

interface WireParts extends LeanCallParts {
  /** The address that a request came from, as far as it can be trusted. */
  readonly addressOf: (req: AddressedRequest) => string;
  /** Answers what the lean path begins to read and then cannot. */
  readonly stock: RequestHandler;
  /** What every answer says. */
  readonly commonHeaders: CommonHeaders;
}

/**
 * Answers the plain case of Verify and BatchVerify with a fraction of what the stock handler spends on a call. Both come to the same
 * answers; `test/integration/wire-differential.test.ts` holds them to that.
 */
export function createWireHandler(parts: WireParts): Shortcut {
  const { addressOf, stock } = parts;
  const exchanges = createExchanges(parts.commonHeaders);
  const serve = createLeanCalls(parts);

  return {
    onStream(stream, headers) {
      const { ":method": httpMethod, ":path": path, ":authority": authority = headers.host } = headers;
      const { session } = stream;
      const lean = leanRequestOf({ httpMethod, path, authority, headers, http2: true });
      if (lean === undefined || session === undefined) return false;
      const exchange = lean.protocol === "grpc" ? exchanges.grpc(stream) : exchanges.connect(stream, lean.encoding);
      const presented = presentedBy({ socket: session.socket, headers }, addressOf);
      serve(lean, presented, exchange, (arrived) => {
        const req = new Http2ServerRequest(stream, headers, {}, []);
        stock(
          req,
          new Http2ServerResponse(stream),
          replay(arrived, req, () => stream.resume()),
        );
      });
      return true;
    },

    onRequest(req, res) {
      const { method: httpMethod, url: path, headers } = req;
      const lean = leanRequestOf({ httpMethod, path, authority: headers.host, headers, http2: false });
      if (lean === undefined) return false;
      const exchange = exchanges.http1(req, res, lean.encoding);
      serve(lean, presentedBy(req, addressOf), exchange, (arrived) =>
        stock(
          req,
          res,
          replay(arrived, req, () => {}),
        ),
      );
      return true;
    },
  };
}

function presentedBy(request: AddressedRequest, addressOf: WireParts["addressOf"]): Presented {
  const { authorization, "user-agent": userAgent } = request.headers;
  return { authorization, userAgent, address: addressOf(request) };
}
